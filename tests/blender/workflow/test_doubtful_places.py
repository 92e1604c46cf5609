"""Doubtful places of a match, listed by names that an artist knows."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from helpers.creatures import creature, vertex_positions
from meshkin.base.progress import finish
from meshkin.scene.display import looking
from meshkin.scene.mesh import matches
from meshkin.scene.mesh import snapshot as snapshots
from meshkin.scene.objects import Handle
from meshkin.workflow import FeatureOptions, Options, match
from meshkin.workflow.characters import CharacterSnapshot
from meshkin.workflow.doubtful_places import doubtful_places, place_word


def two_patches(obj: bpy.types.Object) -> NDArray[np.float64]:
    """A confidence that is low at the +X tip, and a little less low, and less wide, at the -Z end."""
    directions = vertex_positions(obj) / np.linalg.norm(vertex_positions(obj), axis=1)[:, None]
    confidence = np.ones(len(directions))
    confidence[directions[:, 0] > 0.8] = 0.1
    confidence[directions[:, 2] < -0.9] = 0.2
    return confidence


def places_on(obj: bpy.types.Object, confidence: NDArray[np.floating]) -> list[matches.DoubtfulPlace]:
    """The doubtful places of an object of one mesh."""
    [places] = doubtful_places(CharacterSnapshot.take([Handle.of(obj)]), confidence)
    return places


def ball() -> bpy.types.Object:
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4)
    return bpy.context.object


def test_places_are_named_by_the_bones_that_rule_them() -> None:
    obj = ball()
    positions = vertex_positions(obj)
    for name, chosen in (
        ("arm.L", positions[:, 0] > 0.3),
        ("leg", positions[:, 2] < -0.5),
        ("empty", positions[:, 0] > 9),
    ):
        obj.vertex_groups.new(name=name).add(np.flatnonzero(chosen).tolist(), 1, "REPLACE")
    places = places_on(obj, two_patches(obj))
    assert [place.name for place in places] == ["arm.L", "leg"]
    assert places[0].share > places[1].share > 0.01
    assert places[0].confidence == pytest.approx(0.2, abs=0.1)


def test_without_bones_they_are_named_by_materials_or_where_they_are() -> None:
    obj = ball()
    confidence = two_patches(obj)
    assert [place.name for place in places_on(obj, confidence)] == ["Left", "Bottom"]
    for name in ("skin", "boots"):
        obj.data.materials.append(bpy.data.materials.new(name))
    for face in obj.data.polygons:
        face.material_index = int(face.center.z < -0.6)
    assert [place.name for place in places_on(obj, confidence)] == ["skin", "boots"]
    confidence[vertex_positions(obj)[:, 0] < -0.8] = 0.3
    names = [place.name for place in places_on(obj, confidence)]
    assert names == ["skin, left", "skin, right", "boots"]
    shape = snapshots.take(obj)
    assert place_word(shape, np.array((0.9, -0.9, 0.9))) == "top left front"
    assert place_word(shape, np.zeros(3)) == "middle"


def test_the_view_jumps_to_a_place_wherever_the_target_stands() -> None:
    """A place that was noted before the target was turned and scaled is still the same place."""
    obj = ball()
    [noted, _] = places_on(obj, two_patches(obj))
    obj.matrix_world = Matrix.Translation((5, 1, 0)) @ Matrix.Rotation(np.pi / 2, 4, "Z") @ Matrix.Scale(2, 4)
    bpy.context.view_layer.update()
    [now, _] = places_on(obj, two_patches(obj))
    np.testing.assert_allclose(now.center, noted.center, atol=1e-5)
    assert now.radius == pytest.approx(noted.radius, rel=1e-4)
    areas = [area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    view = areas[0].spaces.active.region_3d
    view.view_perspective = "CAMERA"
    looking.look_at(view, obj, noted)
    assert view.view_perspective == "PERSP"
    assert (view.view_location - Vector((5, 2.8, 0))).length < 0.1  # the tip, which points along Y now
    assert (view.view_rotation @ Vector((0, 0, 1)) - Vector((0, 1, 0))).length < 0.1
    assert 2 < view.view_distance < 12


def test_a_match_lists_its_doubtful_places_and_the_file_keeps_them(tmp_path: Path) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.3, subdivisions=3)
    report = finish(match(source, target, Options(FeatureOptions("geometric"))))
    noted = matches.doubtful_places(source, target)
    assert [place["name"] for place in report.data["doubtful_places"]] == [place.name for place in noted]
    confidence = matches.load(source, target).match.to_source.confidence
    assert noted == places_on(target, confidence)
    assert not matches.doubtful_places(target, source)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert matches.doubtful_places(bpy.data.objects["source"], bpy.data.objects["target"]) == noted
