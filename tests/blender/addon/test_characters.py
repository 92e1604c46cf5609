"""Characters in the panel: picked by any of their objects, listed with ticks, and transferred without any picking."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest

from helpers.characters import dressed, rig

WHOLE = {"body", "coat", "eye.L", "eye.R"}


@pytest.fixture
def pair(addon: ModuleType) -> tuple[dict[str, bpy.types.Object], dict[str, bpy.types.Object]]:
    """Two rigged characters; the first has an attribute that the second lacks."""
    source, target = dressed(), dressed("new ", 6.0)
    rig("rig", source)
    rig("new rig", target, 6.0)
    for obj in source.values():
        values = np.full(len(obj.data.vertices), 0.5, np.float32)
        obj.data.attributes.new("warmth", "FLOAT", "POINT").data.foreach_set("value", values)
    settings = bpy.context.scene.meshkin
    settings.features, settings.kinds = "geometric", {"attributes"}
    return source, target


def listed(role: str) -> dict[str, bool]:
    """The meshes of a role's list, and whether they are ticked."""
    return {item.object.name: item.used for item in getattr(bpy.context.scene.meshkin, f"{role}_members")}


def select(active: bpy.types.Object, *more: bpy.types.Object) -> None:
    for obj in bpy.context.scene.objects:
        obj.select_set(obj in (active, *more))
    bpy.context.view_layer.objects.active = active


def given(meshes: dict[str, bpy.types.Object]) -> set[str]:
    return {part for part, obj in meshes.items() if "warmth" in obj.data.attributes}


Pair = tuple[dict[str, bpy.types.Object], dict[str, bpy.types.Object]]


def test_any_object_lists_the_whole_character(pair: Pair) -> None:
    settings = bpy.context.scene.meshkin
    for picked in ("eye.L", "rig", "coat"):
        settings.source = bpy.data.objects[picked]
        assert listed("source") == dict.fromkeys(WHOLE, True)
    settings.source = bpy.data.objects["rig"]
    assert settings.source.type == "MESH"  # of a rig, its largest mesh stands in the field


def test_what_is_hidden_is_listed_without_a_tick(pair: Pair) -> None:
    pair[0]["coat"].hide_set(True)
    settings = bpy.context.scene.meshkin
    settings.source = pair[0]["body"]
    assert listed("source") == {**dict.fromkeys(WHOLE, True), "coat": False}


@pytest.mark.slow
def test_ticks_off_are_left_out_and_are_kept(pair: Pair, tmp_path: Path) -> None:
    source, target = pair
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = source["body"], target["R"]
    for item in settings.target_members:
        item.used = item.object.name != "new coat"
    assert bpy.ops.meshkin.transfer(kinds={"attributes"}) == {"FINISHED"}
    assert given(target) == {"body", "L", "R"}
    assert not listed("target")["new coat"]
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert listed("target") == {**dict.fromkeys((f"new {name}" for name in WHOLE), True), "new coat": False}


def test_two_selected_characters_need_no_picking(pair: Pair) -> None:
    """The active object is of the target; what was picked before counts until something else is selected."""
    source, target = pair
    settings = bpy.context.scene.meshkin
    select(target["L"], source["coat"])
    assert bpy.ops.meshkin.transfer(kinds={"attributes"}) == {"FINISHED"}
    assert (settings.source, settings.target) == (source["body"], target["body"])  # the largest say which
    assert given(target) == {"body", "coat", "L", "R"}
    bpy.ops.meshkin.swap()
    members = importlib.import_module("blender_addon.base.members")
    assert members.selected_pair(bpy.context) is None  # the swap is newer than the selection
    select(source["body"], bpy.data.objects["new rig"])
    chosen = members.selected_pair(bpy.context)
    assert chosen == (bpy.data.objects["new rig"], source["body"])


def test_selected_rigs_stand_for_their_characters(pair: Pair) -> None:
    """In a viewport, the rig is often what a click on a character hits."""
    source, target = pair
    settings = bpy.context.scene.meshkin
    operators = importlib.import_module("blender_addon.transfer.operators")
    select(source["body"])
    assert operators.MESHKIN_OT_transfer.why_not(bpy.context) == "Select two characters, the target last"
    select(bpy.data.objects["new rig"], bpy.data.objects["rig"])
    assert operators.MESHKIN_OT_transfer.why_not(bpy.context) == ""
    assert bpy.ops.meshkin.transfer(kinds={"attributes"}) == {"FINISHED"}
    assert (settings.source, settings.target) == (source["body"], target["body"])
    assert given(target) == {"body", "coat", "L", "R"}


def test_a_collection_is_picked(pair: Pair) -> None:
    source, target = pair
    collection = bpy.data.collections.new("hero")
    bpy.context.scene.collection.children.link(collection)
    for part in ("body", "L"):
        collection.objects.link(source[part])
    assert bpy.ops.meshkin.pick_collection(role="source", collection="hero") == {"FINISHED"}
    assert listed("source") == {"body": True, "eye.L": True}
    settings = bpy.context.scene.meshkin
    settings.target = target["body"]
    assert listed("source") == {"body": True, "eye.L": True}
    settings.source = source["coat"]
    assert listed("source") == dict.fromkeys(WHOLE, True)


def test_deleted_meshes_leave_the_list_when_the_file_is_saved(pair: Pair, tmp_path: Path) -> None:
    source, _ = pair
    settings = bpy.context.scene.meshkin
    settings.source = source["body"]
    select(source["coat"])
    bpy.ops.object.delete()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert "coat" not in bpy.data.objects
    assert set(listed("source")) == WHOLE - {"coat"}
