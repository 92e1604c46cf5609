"""A target brought into a source's pose, as a shape key."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from numpy.typing import NDArray

from helpers.creatures import creature
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.scene.mesh import snapshot as snapshots

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"))


def places(obj: bpy.types.Object) -> NDArray[np.float64]:
    """The object's own vertices, posed, in world axes, around their middle."""
    shape = snapshots.take(obj)
    found = shape.vertices[shape.original].astype(np.float64)
    moved: NDArray[np.float64] = found - found.mean(axis=0)
    return moved


def coordinates(key: bpy.types.ShapeKey) -> NDArray[np.float32]:
    values = np.empty(len(key.data) * 3, np.float32)
    key.data.foreach_get("co", values)
    return values.reshape(-1, 3)


def bend(obj: bpy.types.Object) -> None:
    """Bend an object as no edit of its mesh does."""
    modifier = obj.modifiers.new("bend", "SIMPLE_DEFORM")
    modifier.deform_method, modifier.deform_axis, modifier.angle = "BEND", "Z", 1.2


def limb(name: str) -> bpy.types.Object:
    """A long lopsided blob."""
    obj = creature(name, subdivisions=3)
    obj.data.transform(Matrix.Diagonal((2, 0.5, 0.5, 1)))
    return obj


def pair() -> tuple[bpy.types.Object, bpy.types.Object, NDArray[np.float64]]:
    """A bent source, a target as modeled, and the target truly bent."""
    source, target = limb("source"), limb("target")
    bend(source)
    bend(target)
    bpy.context.view_layer.update()
    true = places(target)
    target.modifiers.clear()
    bpy.context.view_layer.update()
    return source, target, true


def test_a_new_key_and_nothing_else() -> None:
    source, target, true = pair()
    target.location, target.scale = (5, 0, 1), (0.5, 0.5, 0.5)
    other = creature("other")
    bpy.ops.object.select_all(action="DESELECT")
    other.select_set(True)
    bpy.context.view_layer.objects.active = other
    bpy.context.view_layer.update()
    own = np.array([vertex.co[:] for vertex in target.data.vertices])
    before, standing = places(target), snapshots.take(target).vertices[:, 2].min()
    report = finish(workflow.pose(source, target, OPTIONS))
    blocks = target.data.shape_keys.key_blocks
    assert [key.name for key in blocks] == ["Basis", "Pose of source"]
    assert report.data["shape_key"] == "Pose of source"
    assert blocks[1].value == 1
    np.testing.assert_allclose(coordinates(blocks[0]), own, atol=1e-6)
    np.testing.assert_allclose([vertex.co[:] for vertex in target.data.vertices], own, atol=1e-6)
    off = [np.linalg.norm(one - 0.5 * true, axis=1).mean() for one in (before, places(target))]
    assert off[1] < 0.35 * off[0]
    assert snapshots.take(target).vertices[:, 2].min() == pytest.approx(standing, abs=1e-4)
    assert report.data["stretch"] < 0.1
    assert not source.data.shape_keys
    assert bpy.context.view_layer.objects.active == other
    assert bpy.context.selected_objects == [other]
    assert other.mode == "OBJECT"


def test_keys_and_modifiers_that_are_there() -> None:
    """A key that is on counts as the shape; a modifier that adds vertices is no hindrance."""
    source, target, true = pair()
    target.shape_key_add(name="Basis")
    smile = target.shape_key_add(name="Smile")
    smile.data[3].co.x += 0.01
    smile.value = 0.5
    target.active_shape_key_index = 1
    target.modifiers.new("subdivision", "SUBSURF").levels = 1
    bpy.context.view_layer.update()
    kept, before = [coordinates(key) for key in target.data.shape_keys.key_blocks], places(target)
    finish(workflow.pose(source, target, OPTIONS))
    blocks = target.data.shape_keys.key_blocks
    assert [key.name for key in blocks] == ["Basis", "Smile", "Pose of source"]
    for values, key in zip(kept, blocks, strict=False):
        np.testing.assert_array_equal(coordinates(key), values)
    assert smile.value == 0.5
    assert target.active_shape_key_index == 1
    off = [np.linalg.norm(one - true, axis=1).mean() for one in (before, places(target))]
    assert off[1] < 0.5 * off[0]


def test_cancelling_and_bad_input_change_nothing() -> None:
    source, target, _ = pair()
    job = workflow.pose(source, target, OPTIONS)
    for _ in range(3):
        next(job)
    job.close()
    empty = bpy.data.objects.new("empty", None)
    bpy.context.scene.collection.objects.link(empty)
    for ends, code in (
        ((source, source), "same-object"),
        ((empty, target), "not-a-surface"),
        ((source, empty), "not-a-surface"),  # it stands for a character, and none of its meshes is there
    ):
        with pytest.raises(InputError) as raised:
            finish(workflow.pose(*ends, OPTIONS))
        assert raised.value.code == code
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(InputError) as raised:
        finish(workflow.pose(source, target, OPTIONS))
    assert raised.value.code == "edit-mode"
    bpy.ops.object.mode_set(mode="OBJECT")
    assert target.data.shape_keys is None
    assert not target.data.attributes.get("meshkin_color")
