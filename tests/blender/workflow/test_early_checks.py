"""What needs no match is checked before one is made: nothing is asked of the worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from helpers.creatures import creature
from helpers.main_job import paint, refused
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.worker import client

Change = Callable[[bpy.types.Object, bpy.types.Object], object]
"""Changes source and target so that something cannot be transferred."""


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def shared() -> None:
        raise AssertionError("the worker was asked")

    monkeypatch.setattr(client, "shared", shared)


def nothing(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Change nothing: the options cannot be fulfilled."""


def set_uvs(target: bpy.types.Object, scale: float) -> None:
    """Lay all faces of the target over the whole UV map, scaled."""
    uvs = np.tile(np.array([(0, 0), (1, 0), (0, 1)], np.float32) * scale, (len(target.data.polygons), 1))
    target.data.uv_layers[0].uv.foreach_set("vector", uvs.ravel())


def fill_uv_maps(target: bpy.types.Object) -> None:
    """As many UV maps as a mesh can have, and the first one of no use."""
    set_uvs(target, 0)
    while len(target.data.uv_layers) < 8:
        target.data.uv_layers.new()


def remove_weights(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Keep the source's groups, empty."""
    for group in source.vertex_groups:
        group.remove(range(len(source.data.vertices)))


def remesh_and_add_key(source: bpy.types.Object, target: bpy.types.Object) -> None:
    """Give the source a shape key, and a modifier that makes other vertices as soon as the key moves it."""
    source.shape_key_add(name="Basis")
    for point in source.shape_key_add(name="smile").data:
        point.co *= 1.5
    source.modifiers.new("other", "REMESH")


@pytest.mark.parametrize(
    ("what", "change", "options", "code"),
    [
        ("texture", lambda source, _: source.data.uv_layers.remove(source.data.uv_layers[0]), {}, "no-uvs"),
        ("texture", lambda source, _: source.data.materials.clear(), {}, "no-texture"),
        ("texture", lambda _, target: fill_uv_maps(target), {}, "uv-maps-full"),
        ("texture", nothing, {"unwrap": "by hand"}, "option-invalid"),
        ("texture", nothing, {"channels": ("taste",)}, "channel-unknown"),
        ("weights", lambda source, _: source.vertex_groups.clear(), {}, "no-groups"),
        ("weights", remove_weights, {}, "no-weights"),
        ("weights", nothing, {"pattern": "tail*"}, "no-groups"),
        ("weights", nothing, {"groups": "few"}, "groups-unknown"),
        ("weights", nothing, {"nearness": "sometimes"}, "nearness-unknown"),
        ("weights", nothing, {"way": "magic"}, "way-unknown"),
        ("weights", nothing, {"mask": "belly"}, "mask-missing"),
        ("attributes", nothing, {"names": ("warmth",)}, "no-attributes"),
        ("attributes", lambda _, target: target.vertex_groups.new(name="height"), {}, "attribute-taken"),
        ("materials", lambda source, _: source.data.materials.clear(), {}, "no-materials"),
        ("uvs", nothing, {"names": ("second",)}, "no-uvs"),
        ("shape_keys", nothing, {}, "no-shape-keys"),
        ("shape_keys", remesh_and_add_key, {}, "modifiers-in-the-way"),
        ("hair", nothing, {}, "no-hair"),
        ("armature", nothing, {}, "no-armature"),
        ("soul", nothing, {}, "transfer-unknown"),
    ],
)
def test_what_cannot_be_transferred(what: str, change: Change, options: dict[str, Any], code: str) -> None:
    source, target = creature("source", subdivisions=4), creature("target", 1.2, subdivisions=4)
    paint(source)
    change(source, target)
    refused(workflow.transfer(source, target, [what], workflow.Options().changed(**options)), InputError, code)


def test_objects_that_do_not_fit() -> None:
    source = creature("source", subdivisions=2)
    paint(source)
    refused(workflow.transfer(source, source, ["weights"]), InputError, "same-object")
    empty = bpy.data.objects.new("empty", bpy.data.meshes.new("empty"))
    bpy.context.scene.collection.objects.link(empty)
    refused(workflow.transfer(source, empty, ["weights"]), InputError, "mesh-empty")


def test_a_photograph_where_no_uv_map_is_of_use_and_there_is_no_room(tmp_path: Path) -> None:
    target = creature("target", subdivisions=2)
    set_uvs(target, 0)
    while len(target.data.uv_layers) < 8:
        target.data.uv_layers.new()
    refused(workflow.texture_photo(tmp_path / "photo.png", target), InputError, "uv-maps-full")
