"""The buttons that show a match: Compare, the list of doubtful places."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import bpy

from helpers.creatures import creature


def pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    """Two creatures, picked as source and target."""
    bpy.context.preferences.addons["blender_addon"].preferences.worker_python = os.environ["MESHKIN_WORKER_PYTHON"]
    source, target = creature("source", subdivisions=3), creature("target", 1.3, subdivisions=3)
    target.location.x = 5
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features = source, target, "geometric"
    bpy.context.view_layer.update()
    return source, target


def test_compare_is_one_toggle_with_three_looks(addon: ModuleType) -> None:
    _, target = pair()
    objects, settings = bpy.data.objects.keys(), bpy.context.scene.meshkin
    status = importlib.import_module("blender_addon.base.status")
    assert bpy.ops.meshkin.match() == {"FINISHED"}
    attributes = target.data.attributes.keys()
    reports = bpy.data.texts["MeshKin Report"].as_string()
    assert bpy.ops.meshkin.compare() == {"FINISHED"}
    assert status.compared()
    settings.look = "CONFIDENCE"
    assert "meshkin_match_confidence_color" in target.data.attributes
    settings.look = "TEXTURES"
    assert bpy.ops.meshkin.compare() == {"FINISHED"}
    assert not status.compared()
    assert bpy.data.objects.keys() == objects
    assert target.data.attributes.keys() == attributes
    assert bpy.data.texts["MeshKin Report"].as_string() == reports


def test_compare_works_without_a_match_and_ends_though_the_target_is_gone(addon: ModuleType) -> None:
    _, target = pair()
    settings = bpy.context.scene.meshkin
    assert bpy.ops.meshkin.compare() == {"FINISHED"}
    settings.look = "COLORS"  # there are none: nothing happens
    bpy.data.objects.remove(target)
    assert bpy.ops.meshkin.compare() == {"FINISHED"}
    assert bpy.data.objects.keys() == ["source"]


def test_places_are_jumped_to_in_a_view_only(addon: ModuleType) -> None:
    pair()
    assert not bpy.ops.meshkin.look_at_place.poll()
