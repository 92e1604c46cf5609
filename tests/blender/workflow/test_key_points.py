"""Key points, named once on a template, on another shape: through the match, and with whatever moves the surface."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

from helpers.creatures import symmetric_creature
from helpers.main_job import refused
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.dataset.record import SetRecord
from meshkin.scene.dataset import key_points
from meshkin.workflow import DatasetOptions, FeatureOptions, Options

pytestmark = pytest.mark.usefixtures("own_home")

GEOMETRIC = Options(features=FeatureOptions("geometric"))


def with_key_points(obj: bpy.types.Object) -> dict[str, np.ndarray]:
    """Give an object an empty on its surface, one within it, and a group; returns their places in its own frame."""
    vertices = np.array([vertex.co for vertex in obj.data.vertices])
    top, low = int(vertices[:, 2].argmax()), int(vertices[:, 2].argmin())
    known = {"top": vertices[top], "middle": vertices.mean(axis=0), "low": vertices[low]}
    for name in ("top", "middle"):
        empty = bpy.data.objects.new(name, None)
        empty.parent, empty.location = obj, known[name].tolist()
        bpy.context.scene.collection.objects.link(empty)
    obj.vertex_groups.new(name="key:low").add([low], 1.0, "REPLACE")
    bpy.context.view_layer.update()
    return known


def test_they_come_to_the_same_places() -> None:
    source = symmetric_creature("Template", 1.0)
    known = with_key_points(source)
    target = source.copy()
    target.data = source.data.copy()
    target.name = "Other"
    target.vertex_groups.clear()
    target.location, target.scale, target.rotation_euler = (9, 1, 0), (1.5, 1.5, 1.5), (0, 0, 0.4)
    bpy.context.scene.collection.objects.link(target)
    target.shape_key_add(name="Basis")
    moved = target.shape_key_add(name="up")
    moved.value = 0.0
    for point in moved.data:
        point.co.z += 0.7
    bpy.context.view_layer.update()
    report = finish(workflow.transfer([source], [target], ["key_points"], GEOMETRIC))
    assert report.data["written"] == ["key_points"]
    height = max(target.dimensions)

    def farthest(rise: float) -> float:
        bpy.context.view_layer.update()
        found = key_points.places(target)
        assert set(found) == set(known)
        offset = np.array((0, 0, rise))
        places = {
            name: np.array(target.matrix_world @ Vector((place + offset).tolist())) for name, place in known.items()
        }
        return max(float(np.linalg.norm(found[name] - places[name])) for name in known)

    assert farthest(0) < 0.03 * height
    moved.value = 1.0
    assert farthest(0.7) < 0.03 * height  # they hang on the surface
    moved.value = 0.0
    count = len(target.children)
    finish(workflow.transfer([source], [target], ["key_points"], GEOMETRIC))
    assert len(target.children) == count  # moved, not doubled


def test_without_key_points_it_says_how_to_make_some() -> None:
    pair = [symmetric_creature(f"Creature {number}", 1 + number / 4) for number in range(2)]
    bpy.context.view_layer.update()
    refused(workflow.transfer(pair[:1], pair[1:], ["key_points"], GEOMETRIC), InputError, "no-key-points")


def test_a_data_set_carries_them_from_a_template(tmp_path: Path) -> None:
    """To a copy of another size, in which they lie exactly as in the template, and only where they are lacking."""
    source = symmetric_creature("Creature", 1.0)
    known = with_key_points(source)
    target = source.copy()
    target.data = source.data.copy()
    target.vertex_groups.clear()
    target.location, target.scale = (9, 1, 0), (1.5, 1.5, 1.5)
    bpy.context.scene.collection.objects.link(target)
    bpy.context.view_layer.update()
    small = DatasetOptions(count=2, resolution=32, samples=1, formats=())
    options = Options(features=FeatureOptions("geometric"), dataset=small)
    finish(workflow.dataset([source, target], tmp_path / "set", options, source))
    found = key_points.places(target)
    for name, place in known.items():
        expected = np.array(target.matrix_world @ Vector(place.tolist()))
        assert np.linalg.norm(found[name] - expected) < 1e-4 * max(target.dimensions)
    data = SetRecord.load(tmp_path / "set")
    assert all(set(model.key_points) == set(known) for model in data.models)
    before = {child.name: child.matrix_world.copy() for child in target.children}
    finish(workflow.dataset([source, target], tmp_path / "set", options, source))
    assert {child.name: child.matrix_world for child in target.children} == before
    refused(
        workflow.dataset([source, target], tmp_path / "other", options, target_without(target)),
        InputError,
        "no-key-points",
    )


def target_without(obj: bpy.types.Object) -> bpy.types.Object:
    """A copy that has no key points."""
    bare = obj.copy()
    bare.vertex_groups.clear()
    bpy.context.scene.collection.objects.link(bare)
    return bare
