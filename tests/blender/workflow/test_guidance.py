"""Guiding a match and looking at it: point pairs, flipping, sets, colors, lines, selection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bmesh
import bpy
import numpy as np
import pytest

from helpers.creatures import creature, renumber, symmetric_creature, vertex_positions
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import Progress, finish
from meshkin.data.point_pairs import End, Point
from meshkin.data.surface_map import Match
from meshkin.scene.display import lines
from meshkin.scene.display import match_colors as look
from meshkin.scene.display import viewport as display
from meshkin.scene.mesh import attributes, matches, pairs, snapshot

GEOMETRIC = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=64))


def options(**more: Any) -> workflow.Options:
    return GEOMETRIC.changed(**more)


@pytest.fixture(autouse=True)
def no_lines() -> Iterator[None]:
    yield
    lines.hide()


def point_of(values: Iterable[float]) -> Point:
    """Three coordinates as plain numbers."""
    x, y, z = values
    return float(x), float(y), float(z)


def two(stretch: float = 1.2) -> tuple[bpy.types.Object, bpy.types.Object]:
    return creature("source", subdivisions=3), creature("target", stretch, subdivisions=3)


def refused(code: str, call: Any) -> InputError:
    """The call is refused with this error, which says what to do."""
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.code == code
    assert caught.value.fix
    return caught.value


def shapes(*objects: bpy.types.Object) -> Any:
    return tuple(snapshot.take(obj) for obj in objects)


# Point pairs -----------------------------------------------------------------------------------------------------


def test_pairs_are_empties_that_follow_their_vertices() -> None:
    source, target = two()
    made = pairs.add(source, target, 5, 7)
    assert made.label == "1"
    assert made.source.name == "Kin 1 · source"
    assert (made.source.parent, made.target.parent) == (source, target)
    target.location, target.scale, target.rotation_euler = (3, 1, 0), (2, 2, 2), (0, 0.5, 1)
    target.data.vertices[7].co.x += 1
    bpy.context.view_layer.update()
    place = target.matrix_world @ target.data.vertices[7].co
    assert (made.target.matrix_world.translation - place).length < 1e-5
    assert [pair.label for pair in pairs.between(source, target)] == ["1"]
    assert [pair.source.parent for pair in pairs.between(target, source)] == [target]
    np.testing.assert_array_equal(pairs.vertex_pairs(source, target, shapes(source, target)), [[5, 7]])
    np.testing.assert_array_equal(pairs.vertex_pairs(target, source, shapes(target, source)), [[7, 5]])


def test_pairs_are_numbered_saved_and_removed(tmp_path: Path) -> None:
    source, target = two()
    other = creature("other", subdivisions=2)
    for vertex in range(11):
        pairs.add(source, target, vertex, vertex)
    pairs.add(source, other, 3, 3)
    assert [pair.label for pair in pairs.between(source, target)] == [str(number) for number in range(1, 12)]
    assert [pair.label for pair in pairs.between(source, other)] == ["12"]
    pairs.remove([source], [target], "2")
    assert pairs.add(source, target, 50, 50, "nose").source.name == "Kin nose · source"
    assert pairs.add(source, target, 1, 1).label == "2"
    refused("pair-unknown", lambda: pairs.remove([source], [target], "77"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "pairs.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "pairs.blend"))
    source, target = bpy.data.objects["source"], bpy.data.objects["target"]
    assert [pair.label for pair in pairs.between(source, target)] == [str(n) for n in range(1, 12)] + ["nose"]
    assert not pairs.without_partner([source, target])
    bpy.data.objects.remove(bpy.data.objects["Kin nose · target"])
    assert [empty.name for empty in pairs.without_partner([source, target])] == ["Kin nose · source"]


def test_points_in_the_world_find_their_vertices_under_modifiers() -> None:
    source, target = two()
    target.location, target.rotation_euler = (4, 0, 1), (0, 0, 1)
    target.modifiers.new("smooth", "SUBSURF").levels = 1
    bpy.context.view_layer.update()
    shape = snapshot.take(target)
    point = shape.vertices[shape.original[21]] + shape.location
    made = pairs.add(source, target, 9, point_of(point))
    assert made.target.parent_vertices[0] == 21
    rows = pairs.vertex_pairs(source, target, shapes(source, target))
    np.testing.assert_array_equal(rows, [[9, shape.original[21]]])


def test_an_empty_moved_by_hand_means_where_it_is() -> None:
    source, target = two()
    made = pairs.add(source, target, 5, 7)
    made.target.location = target.data.vertices[100].co - target.data.vertices[7].co
    bpy.context.view_layer.update()
    np.testing.assert_array_equal(pairs.vertex_pairs(source, target, shapes(source, target)), [[5, 100]])
    made.target.location = (100, 0, 0)
    bpy.context.view_layer.update()
    refused("pair-off-surface", lambda: finish(workflow.match(source, target, GEOMETRIC)))


def test_empties_made_by_hand_count_too() -> None:
    source, target = two()
    for obj, name, vertex in ((source, "Kin tip", 8), (target, "Kin tip.001", 12)):
        empty = bpy.data.objects.new(name, None)
        bpy.context.scene.collection.objects.link(empty)
        empty.parent = obj
        empty.location = obj.data.vertices[vertex].co
    bpy.context.view_layer.update()
    assert [pair.label for pair in pairs.between(source, target)] == ["tip"]
    np.testing.assert_array_equal(pairs.vertex_pairs(source, target, shapes(source, target)), [[8, 12]])
    double = bpy.data.objects.new("Kin tip.002", None)
    double.parent = target
    refused("pair-twice", lambda: finish(workflow.match(source, target, GEOMETRIC)))


def test_a_curve_has_pairs_at_points() -> None:
    source = creature("source", subdivisions=2)
    bpy.ops.curve.primitive_bezier_circle_add(radius=2)
    curve = bpy.context.object
    curve.data.bevel_depth = 0.3
    curve.location = (0, 5, 0)
    bpy.context.view_layer.update()
    shape = snapshot.take(curve)
    point = point_of(shape.vertices[40] + shape.location)
    made = pairs.add(source, curve, 0, point)
    bpy.context.view_layer.update()
    assert (made.target.matrix_world.translation - curve.matrix_world.translation).length > 1
    np.testing.assert_array_equal(pairs.vertex_pairs(source, curve, shapes(source, curve)), [[0, 40]])
    refused("pair-no-vertex", lambda: pairs.add(source, curve, 0, 0))


def test_given_pairs_are_vertices_or_own_coordinates() -> None:
    source, target = two()
    target.location, target.scale = (9, 9, 9), (0.1, 0.1, 0.1)
    target.modifiers.new("smooth", "SUBSURF").levels = 1
    bpy.context.view_layer.update()
    one, other = shapes(source, target)
    points = point_of(source.data.vertices[30].co), point_of(target.data.vertices[31].co)
    given: list[tuple[End, End]] = [(3, 4), points]
    rows = pairs.vertex_pairs(source, target, (one, other), given)
    np.testing.assert_array_equal(rows, [[3, other.original[4]], [30, other.original[31]]])


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([(0, 100_000)], "pair-no-vertex"),
        ([(0, -1)], "pairs-invalid"),
        ([(0, (0, 0, math.nan))], "pairs-invalid"),
        ([(0, 1, 2)], "pairs-invalid"),
        ([(0, (50, 0, 0))], "pair-off-surface"),
        ([(0, 1), (0, 2)], "pairs-contradict"),
        ([(1, 2), (5, 6), (0, 2)], "pairs-contradict"),
    ],
)
def test_pairs_that_cannot_be_are_refused_before_the_work(given: Any, code: str) -> None:
    source, target = two()
    stages: list[str] = []
    job = workflow.match(source, target, options(pairs=given))
    refused(code, lambda: finish(job, lambda progress: stages.append(progress.stage)))
    assert set(stages) <= {"Reading the mesh"}
    assert not matches.is_matched(source, target)


def test_the_one_selected_vertex() -> None:
    source, _ = two()
    bpy.context.view_layer.objects.active = source
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="SELECT")
    refused("pair-selection", lambda: pairs.selected_vertex(source))
    edited = bmesh.from_edit_mesh(source.data)
    bpy.ops.mesh.select_all(action="DESELECT")
    edited.verts.ensure_lookup_table()
    edited.verts[17].select = True
    assert pairs.selected_vertex(source) == 17


# The match that is remembered ------------------------------------------------------------------------------------


def test_a_match_is_found_again_after_saving(tmp_path: Path) -> None:
    source, target = two()
    refused("not-matched", lambda: matches.load(source, target))
    report = finish(workflow.match(source, target, GEOMETRIC))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "matched.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "matched.blend"))
    source, target = bpy.data.objects["source"], bpy.data.objects["target"]
    source.name = "renamed"
    bpy.data.objects.new("source", source.data)
    assert matches.is_matched(source, target)
    assert matches.matched_with(source) == [target]
    one = matches.load(source, target)
    wanted = Match.load(Path(report.data["map"]))
    np.testing.assert_array_equal(one.match.to_source.face, wanted.to_source.face)
    back = matches.load(target, source)
    np.testing.assert_array_equal(back.match.to_source.face, wanted.to_target.face)
    target.data.vertices[0].co.x += 1
    assert "“target”" in refused("match-outdated", lambda: matches.load(source, target)).message
    target.data.vertices[0].co.x -= 1
    Path(report.data["map"]).unlink()
    refused("match-gone", lambda: matches.load(source, target))


# Flipping and pairs ----------------------------------------------------------------------------------------------


def same_side(report: workflow.Report, source: bpy.types.Object, target: bpy.types.Object) -> float:
    """Share of the target's vertices off the middle whose kin is on the same side."""
    found = Match.load(Path(report.data["map"]))
    kin = found.to_source.pull(vertex_positions(source), found.source_faces)[:, 0]
    own = vertex_positions(target)[:, 0]
    off = np.abs(own) > 0.3
    return float((np.sign(kin[off]) == np.sign(own[off])).mean())


@pytest.mark.slow
def test_flipping_and_its_memory() -> None:
    source, target = symmetric_creature("source"), symmetric_creature("target", 1.15)
    plain = finish(workflow.match(source, target, options(flip=False)))
    before = same_side(plain, source, target)
    assert not 0.1 < before < 0.9
    flipped = finish(workflow.match(source, target, options(flip=True)))
    assert abs(same_side(flipped, source, target) - (1 - before)) < 0.1
    assert matches.is_flipped(source, target)
    assert any("flipped" in text for text in flipped.details)
    stages: list[str] = []
    again = finish(workflow.match(source, target, options()), lambda progress: stages.append(progress.stage))
    assert again.data["map"] == flipped.data["map"]
    assert not [stage for stage in stages if stage.startswith(("Measuring", "Comparing", "Matching"))]
    source.data.attributes.new("warmth", "FLOAT", "POINT")
    carried = finish(workflow.transfer(source, target, ["attributes"], options()))
    assert carried.data["map"] == flipped.data["map"]
    assert finish(workflow.match(source, target, options(flip=False))).data["map"] == plain.data["map"]
    assert not matches.is_flipped(source, target)


@pytest.mark.slow
@pytest.mark.parametrize("crossed", [False, True])
def test_one_point_pair_settles_the_sides_and_is_kept(crossed: bool) -> None:
    source, target = symmetric_creature("source"), symmetric_creature("target", 1.15)
    finish(workflow.match(source, target, options(flip=True)))
    one = int(vertex_positions(source)[:, 0].argmax())
    two_ = int(vertex_positions(target)[:, 0].argmin() if crossed else vertex_positions(target)[:, 0].argmax())
    pairs.add(source, target, one, two_)
    report = finish(workflow.match(source, target, GEOMETRIC))
    assert report.data["pairs"] == [[one, two_]]
    assert not report.data["flip"], "a flip made without the pair does not count with it"
    share = same_side(report, source, target)
    assert share < 0.1 if crossed else share > 0.9
    found = Match.load(Path(report.data["map"]))
    kin = found.to_source.pull(vertex_positions(source), found.source_faces)[two_]
    assert np.linalg.norm(kin - vertex_positions(source)[one]) < 0.1
    given = finish(workflow.match(source, target, options(pairs=[(one, two_)])))
    assert given.data["map"] == report.data["map"]
    assert finish(workflow.match(source, target, options(pairs=[]))).data["map"] != report.data["map"]


# Sets ------------------------------------------------------------------------------------------------------------


def test_a_set_is_matched_through_its_reference() -> None:
    reference = creature("reference", subdivisions=3)
    others = [creature("one", 1.2, 3), creature("two", 0.85, 3)]
    report = finish(workflow.match_set([reference, *others], reference, GEOMETRIC))
    assert set(report.data["maps"]) == {"one", "two"}
    assert all(matches.is_matched(reference, obj) for obj in others)
    told: list[Progress] = []
    joined = finish(workflow.match(others[0], others[1], options(through=reference)), told.append)
    assert not [one.stage for one in told if one.stage.startswith(("Measuring", "Comparing", "Matching"))]
    found = Match.load(Path(joined.data["map"]))
    truth = vertex_positions(others[0])
    kin = found.to_source.pull(truth, found.source_faces)
    chance = np.median(np.linalg.norm(np.random.default_rng(0).permutation(truth) - truth, axis=1))
    assert np.median(np.linalg.norm(kin - truth, axis=1)) < 0.3 * chance
    first, second = (Match.load(Path(report.data["maps"][obj.name])) for obj in others)
    exact = (second.to_source.barycentric > 0.97).any(axis=1)
    along = first.to_target.pull(truth, first.target_faces)[second.to_source.vertex]
    assert exact.sum() > 5
    assert np.abs(kin - along)[exact].max() < 0.05


def test_the_reference_may_be_an_end_itself() -> None:
    reference, other = two()
    made = finish(workflow.match(reference, other, options(through=reference)))
    back = finish(workflow.match(other, reference, options(through=reference)))
    one, two_ = Match.load(Path(made.data["map"])), Match.load(Path(back.data["map"]))
    np.testing.assert_array_equal(one.to_source.face, two_.to_target.face)
    np.testing.assert_array_equal(one.source_faces, two_.target_faces)


def test_a_transfer_through_the_reference() -> None:
    reference = creature("reference", subdivisions=3)
    one, other = creature("one", 1.2, 3), creature("two", 0.85, 3)
    one.data.attributes.new("warmth", "FLOAT", "POINT")
    finish(workflow.transfer(one, other, ["attributes"], options(through=reference)))
    assert "warmth" in other.data.attributes
    assert matches.is_matched(one, other)


def test_sets_that_cannot_be() -> None:
    one, other = two()
    third = creature("third", subdivisions=2)
    refused("nothing-selected", lambda: finish(workflow.match_set([one], one, GEOMETRIC)))
    refused("pairs-through", lambda: finish(workflow.match(one, other, options(through=third, pairs=[(0, 0)]))))
    refused("pairs-through", lambda: finish(workflow.match_set([one, other], third, options(flip=True))))


# Looking ---------------------------------------------------------------------------------------------------------


def colors(obj: bpy.types.Object, name: str) -> Any:
    values = np.empty(len(obj.data.vertices) * 4, np.float32)
    obj.data.attributes[attributes.ATTRIBUTE_PREFIX + name].data.foreach_get("color", values)
    return values.reshape(-1, 4)[:, :3]


def test_the_same_color_where_matched() -> None:
    source, target = two()
    refused("not-matched", lambda: look.paint(source, [target]))
    report = finish(workflow.match(source, target, GEOMETRIC))
    look.paint(source, [target])
    found = Match.load(Path(report.data["map"]))
    own = colors(source, look.MATCH_COLOR)
    carried = found.to_source.pull(own, found.source_faces)
    np.testing.assert_allclose(colors(target, look.MATCH_COLOR), carried, atol=1e-5)
    assert len(np.unique(own.round(4), axis=0)) > 0.9 * len(own)
    display.show([source, target], attributes.ATTRIBUTE_PREFIX + look.MATCH_COLOR)
    assert display.shown_attribute() == attributes.ATTRIBUTE_PREFIX + look.MATCH_COLOR
    display.show([source, target])
    assert display.shown_attribute() == attributes.COLOR
    display.hide()
    assert display.shown_attribute() == ""


def test_confidence_as_colors() -> None:
    source, target = two()
    report = finish(workflow.match(source, target, GEOMETRIC))
    look.paint_confidence(source, target)
    found = Match.load(Path(report.data["map"]))
    for obj, one in ((source, found.to_target), (target, found.to_source)):
        values = np.empty(len(obj.data.vertices), np.float32)
        obj.data.attributes["meshkin_match_confidence"].data.foreach_get("value", values)
        np.testing.assert_allclose(values, one.confidence)
        np.testing.assert_allclose(colors(obj, look.CONFIDENCE_COLOR), look.confidence_colors(values), atol=1e-5)
    ramp = look.confidence_colors(np.linspace(0, 1, 50))
    assert (np.linalg.norm(np.diff(ramp, axis=0), axis=1) > 0).all()


@pytest.mark.slow
def test_a_new_match_repaints_what_the_old_one_painted() -> None:
    source, target = two()
    renumber(target)
    finish(workflow.match(source, target, GEOMETRIC))
    look.paint(source, [target])
    before = colors(target, look.MATCH_COLOR)
    target.data.vertices.foreach_set("co", (vertex_positions(target) * (1, 1, 2)).astype(np.float32).ravel())
    report = finish(workflow.match(source, target, GEOMETRIC))
    found = Match.load(Path(report.data["map"]))
    carried = found.to_source.pull(colors(source, look.MATCH_COLOR), found.source_faces)
    np.testing.assert_allclose(colors(target, look.MATCH_COLOR), carried, atol=1e-5)
    assert not np.array_equal(before, colors(target, look.MATCH_COLOR))


def test_lines_join_kin_and_follow_the_objects() -> None:
    source, target = two()
    finish(workflow.match(source, target, GEOMETRIC))
    target.location = (5, 0, 0)
    bpy.context.view_layer.update()
    lines.show(source, target, 25)
    points, shades = lines.segments()
    assert points.shape == (25, 2, 3)
    assert shades.shape == (25, 4)
    shape = snapshot.take(source)
    distance = np.linalg.norm(points[:, 0, None] - (shape.vertices + shape.location), axis=2).min(axis=1)
    assert distance.max() < 1e-5
    near = np.linalg.norm(points[:, None, 0] - points[None, :, 0], axis=2) + 99 * np.eye(25)
    assert near.min() > 0.3
    source.location, target.rotation_euler = (0, 7, 0), (0, 0, 1)
    bpy.context.view_layer.update()
    moved, _ = lines.segments()
    np.testing.assert_allclose(moved[:, 0], points[:, 0] + (0, 7, 0), atol=1e-5)
    assert np.abs(moved[:, 1] - points[:, 1]).max() > 0.1
    source.hide_set(True)
    assert len(lines.segments()[0]) == 0
    source.hide_set(False)
    pairs.add(source, target, 0, 0)
    bpy.context.view_layer.update()
    ends, _ = lines.pair_segments()
    np.testing.assert_allclose(ends[0, 0], source.matrix_world @ source.data.vertices[0].co, atol=1e-5)
    bpy.data.objects.remove(target)
    assert len(lines.segments()[0]) == 0
    lines.refresh()
    assert not lines.is_shown()


def test_lines_between_point_pairs_need_no_match() -> None:
    source, target = two()
    refused("not-matched", lambda: lines.show(source, target))
    lines.show(source, target, 0)
    pairs.add(source, target, 3, 4)
    bpy.context.view_layer.update()
    lines.show(source, target)
    assert (len(lines.segments()[0]), len(lines.pair_segments()[0])) == (0, 1)
    finish(workflow.match(source, target, options(pairs=[])))
    lines.refresh()
    assert (len(lines.segments()[0]), len(lines.pair_segments()[0])) == (lines.DEFAULT_COUNT, 1)
    lines.hide()
    assert not len(lines.pair_segments()[0])


def test_vertices_of_low_confidence_are_selected_in_either_mode() -> None:
    source, target = two()
    renumber(target)
    refused("not-matched", lambda: look.select_below(target, 0.5))
    finish(workflow.match(source, target, GEOMETRIC))
    values = np.empty(len(target.data.vertices), np.float32)
    target.data.attributes["meshkin_match_confidence"].data.foreach_get("value", values)
    threshold = float(np.median(values))
    expected = values < threshold
    assert 0 < expected.sum() < len(values)

    def selected() -> Any:
        flags = np.empty(len(values), bool)
        target.data.vertices.foreach_get("select", flags)
        return flags

    for mode in ("OBJECT", "EDIT"):
        bpy.context.view_layer.objects.active = target
        bpy.ops.object.mode_set(mode=mode)
        bpy.context.scene.tool_settings.mesh_select_mode = (False, False, True)
        assert look.select_below(target, threshold) == expected.sum()
        assert target.mode == mode
        bpy.ops.object.mode_set(mode="EDIT")
        bpy.ops.object.mode_set(mode="OBJECT")
        np.testing.assert_array_equal(selected(), expected)
        assert look.select_below(target, 0) == 0
        assert not selected().any()
    edges = {frozenset(edge.vertices) for edge in target.data.edges if edge.select}
    assert not edges
