"""Points picked with the mouse: on source, target and stand-in, and where the match sends them."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
import pytest
from mathutils import Vector

from helpers.creatures import creature, vertex_positions
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.data.point_pairs import Point
from meshkin.scene.display import comparison
from meshkin.scene.display.pinning import MouseRay, Pinning
from meshkin.scene.mesh import pairs

OPTIONS = workflow.Options(workflow.FeatureOptions("geometric"))


def point(values: Sequence[float]) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z


def ray(origin: Sequence[float], direction: Sequence[float], reach: float = 0.01) -> MouseRay:
    """A ray of any 3D view of the file."""
    areas = [area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D"]
    return MouseRay(point(origin), point(direction), reach, areas[0].spaces.active)


def two() -> tuple[bpy.types.Object, bpy.types.Object]:
    """A source, and a target beside it that is a little longer."""
    source, target = creature("source", subdivisions=3), creature("target", 1.1, subdivisions=3)
    target.location.x = 6
    bpy.context.view_layer.update()
    return source, target


def test_the_nearest_surface_in_front_is_met_as_blender_meets_it() -> None:
    source, target = two()
    source.location, source.scale = (20, 0, 0), (1, -2, 1)
    bpy.context.view_layer.update()
    pinning = Pinning([source], [target])
    picked = pinning.under(ray((20.01, -50, 0.02), (0, 1, 0)))
    assert picked is not None
    assert picked.end == 0
    local = source.matrix_world.inverted() @ Vector((20.01, -50, 0.02))
    found, place, _, _ = source.ray_cast(local, Vector((0, -1, 0)))
    assert found
    np.testing.assert_allclose(picked.place, source.matrix_world @ place, atol=1e-4)
    assert picked.place == pytest.approx(picked.seen, abs=1e-4)
    assert pinning.under(ray((20, -50, 0), (0, -1, 0))) is None
    target.location.y, target.location.x = -20, 20
    bpy.context.view_layer.update()
    pinning.refresh()
    in_front = pinning.under(ray((20.01, -50, 0.02), (0, 1, 0)))
    assert in_front is not None
    assert in_front.end == 1
    target.hide_set(True)
    behind = pinning.under(ray((20.01, -50, 0.02), (0, 1, 0)))
    assert behind is not None
    assert behind.end == 0


def test_a_click_beside_a_tip_means_the_tip() -> None:
    source, target = two()
    pinning = Pinning([source], [target])
    tip = vertex_positions(source)[vertex_positions(source)[:, 0].argmax()]
    beside = (tip[0] + 0.05, -50, tip[2])
    assert pinning.under(ray(beside, (0, 1, 0), 0.1)) is None  # hovering beside it says nothing
    assert pinning.click(ray(beside, (0, 1, 0), 0.01)) is None
    assert pinning.click(ray(beside, (0, 1, 0), 0.1)) is False
    [picked] = [each for each in pinning.points if each]
    np.testing.assert_allclose(picked.place, tip, atol=1e-5)


def test_the_match_shows_where_a_point_is_and_two_clicks_make_a_pair() -> None:
    source, target = two()
    down = (0, 0, -1)
    assert len(Pinning([source], [target]).marks(ray((0.3, 0.2, 9), down))) == 1  # not matched: only what is hovered
    finish(workflow.match(source, target, OPTIONS))
    pinning = Pinning([source], [target])
    hovered, image = pinning.marks(ray((0.3, 0.2, 9), down))
    assert image == pytest.approx((6 + hovered[0] * 1.1, hovered[1], hovered[2]), abs=0.25)
    [back] = pinning.images(pinning.under(ray((image[0], image[1], 9), down)), ray((0, 0, 0), down).view)  # type: ignore[arg-type]
    assert back == pytest.approx(hovered, abs=0.25)
    assert pinning.click(ray((6.3, 0.2, 9), down)) is False  # the target first
    assert pinning.click(ray((6.35, 0.2, 9), down)) is False  # another choice on the same object
    assert pinning.click(ray((0.3, 0.2, 9), down)) is True
    assert pinning.count == 1
    assert pinning.marks() == []
    bpy.context.view_layer.update()
    [made] = pairs.between(source, target)
    assert made.source.matrix_world.translation[:2] == pytest.approx((0.3, 0.2), abs=0.15)
    assert made.target.matrix_world.translation[:2] == pytest.approx((6.35, 0.2), abs=0.15)


def test_the_stand_in_of_a_comparison_stands_for_the_source() -> None:
    source, target = two()
    finish(workflow.match(source, target, OPTIONS))
    finish(workflow.compare(source, target, options=OPTIONS))
    source.hide_set(True)  # as the view of a comparison hides it
    stand_in = comparison.stand_in()
    assert stand_in is not None
    pinning = Pinning([source], [target])
    tip = vertex_positions(source)[:, 1].argmax()
    seen = stand_in.matrix_world @ stand_in.data.vertices[int(tip)].co
    picked = pinning.under(ray((seen.x, seen.y - 0.01, 50), (0, 0, -1)))
    assert picked is not None
    assert picked.end == 0
    assert picked.seen == pytest.approx(seen[:], abs=0.2)
    assert picked.place == pytest.approx(vertex_positions(source)[tip].tolist(), abs=0.2)
    [image] = pinning.images(picked, ray((0, 0, 0), (0, 0, 1)).view)
    assert image == pytest.approx((target.matrix_world @ target.data.vertices[int(tip)].co)[:], abs=0.3)


def test_points_of_a_character_belong_to_the_mesh_that_was_clicked() -> None:
    """A body and a hat of the source against a target: the pair is on the hat, and the match shows where the hat is."""
    source, target = two()
    hat, cap = creature("hat", subdivisions=3), creature("cap", subdivisions=3)
    for obj, of, x in ((hat, source, 0.0), (cap, target, 6.0)):
        obj.location, obj.scale = (x, 0, 1.6), (0.4, 0.4, 0.4)
        obj.parent = of
        obj.matrix_parent_inverse = of.matrix_world.inverted()
    bpy.context.view_layer.update()
    finish(workflow.match([source, hat], [target, cap], OPTIONS))
    pinning = Pinning([source, hat], [target, cap])
    down = (0, 0, -1)
    hovered, image = pinning.marks(ray((0.1, 0.05, 9), down))
    assert hovered[2] > 1.6
    assert image == pytest.approx((hovered[0] + 6, hovered[1], hovered[2]), abs=0.3)
    assert pinning.click(ray((0.1, 0.05, 9), down)) is False
    assert pinning.click(ray((6.1, 0.05, 9), down)) is True
    [made] = pairs.between_all([source, hat], [target, cap])
    assert (made.source.parent, made.target.parent) == (hat, cap)
    pairs.remove([source, hat], [target, cap], made.label)
    assert not pairs.between_all([source, hat], [target, cap])
