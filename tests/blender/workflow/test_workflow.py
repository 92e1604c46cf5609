"""The main job from end to end: real objects, a real worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from helpers.creatures import creature
from helpers.empty_file import open_empty_file
from helpers.main_job import GEOMETRIC, paint, refused, state
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import Progress, finish
from meshkin.data.surface_map import Match
from meshkin.scene.mesh.attributes import ATTRIBUTE_PREFIX


def test_features_of_several_objects_in_one_basis() -> None:
    one, two = creature("one"), creature("two", 1.2)
    report = finish(workflow.features([one, two], GEOMETRIC))
    assert len(report.data["features"]) == 2
    for obj in (one, two):
        names = {attribute.name for attribute in obj.data.attributes}
        expected = {"color", "views", "confidence", *(f"pca_{index:02d}" for index in range(16))}
        assert {ATTRIBUTE_PREFIX + name for name in expected} <= names
    assert channel_difference(one, two) < channel_difference(one, two, shuffled=True) / 2


def channel_difference(one: bpy.types.Object, two: bpy.types.Object, shuffled: bool = False) -> float:
    """Mean distance of the shown colors of vertices of the same number, or of any two vertices."""
    colors = []
    for obj in (one, two):
        values = np.empty(len(obj.data.vertices) * 4, np.float32)
        obj.data.attributes[ATTRIBUTE_PREFIX + "color"].data.foreach_get("color", values)
        colors.append(values.reshape(-1, 4)[:, :3])
    if shuffled:
        colors[1] = np.random.default_rng(0).permutation(colors[1])
    return float(np.linalg.norm(colors[0] - colors[1], axis=1).mean())


def test_a_third_object_joins_the_basis_of_the_first_two() -> None:
    one, two = creature("one"), creature("two", 1.2)
    finish(workflow.features([one], GEOMETRIC))
    finish(workflow.features([two], GEOMETRIC))
    assert channel_difference(one, two) < channel_difference(one, two, shuffled=True) / 2


def test_match_of_a_stretched_copy() -> None:
    source, target = creature("source"), creature("target", 1.25)
    report = finish(workflow.match(source, target, GEOMETRIC))
    found = Match.load(Path(report.data["map"]))
    points = found.to_source.pull(np.array([vertex.co for vertex in source.data.vertices]), found.source_faces)
    truth = np.array([vertex.co for vertex in source.data.vertices])
    chance = np.median(np.linalg.norm(np.random.default_rng(0).permutation(truth) - truth, axis=1))
    assert np.median(np.linalg.norm(points - truth, axis=1)) < 0.3 * chance
    assert ATTRIBUTE_PREFIX + "match_confidence" in target.data.attributes


def test_asking_again_computes_nothing(home: Path) -> None:
    source, target = creature("source"), creature("target", 1.25)
    finish(workflow.match(source, target, GEOMETRIC))
    stages: list[str] = []
    finish(workflow.match(source, target, GEOMETRIC), lambda progress: stages.append(progress.stage))
    assert "Reading the mesh" in stages
    assert not [stage for stage in stages if stage.startswith(("Measuring", "Comparing", "Matching"))]


def test_transfer_of_everything() -> None:
    source, target = creature("source"), creature("target", 1.25)
    paint(source)
    before = state()
    report = finish(workflow.transfer(source, target, ["texture", "weights", "attributes"], GEOMETRIC))
    assert len(report.lines()) >= 4
    after = state()
    assert set(after["images"]) - set(before["images"]) == {"skin on target"}
    image = bpy.data.images["skin on target"]
    assert tuple(image.size) == (256, 256)
    assert image.packed_file
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    heights = np.empty(len(target.data.vertices), np.float32)
    target.data.attributes["height"].data.foreach_get("value", heights)
    truth = np.empty_like(heights)
    source.data.attributes["height"].data.foreach_get("value", truth)
    chance = np.median(np.abs(np.random.default_rng(0).permutation(truth) - truth))
    assert np.median(np.abs(heights - truth)) < 0.4 * chance
    for name in ("objects", "scenes", "selected", "active", "scene"):
        assert after[name] == before[name]
    assert after["meshes"] == sorted([*before["meshes"], "target before"])  # what was there before can be shown


def hide(source: bpy.types.Object, target: bpy.types.Object) -> None:
    source.hide_set(True)
    target.hide_viewport = True


def mirror(source: bpy.types.Object, target: bpy.types.Object) -> None:
    target.scale = (-1, 1, 1)


def share_mesh(source: bpy.types.Object, target: bpy.types.Object) -> None:
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("twin", target.data))


def name_strangely(source: bpy.types.Object, target: bpy.types.Object) -> None:
    source.name, target.name = "Ядро🦊" + "é" * 20, "x" * 63
    source.vertex_groups[0].name = "ß" * 31


def scale(source: bpy.types.Object, target: bpy.types.Object) -> None:
    source.scale, target.scale = (1e-3,) * 3, (1e3,) * 3
    target.location = (1e4, -1e4, 1e4)


def subdivide(source: bpy.types.Object, target: bpy.types.Object) -> None:
    for obj in (source, target):
        obj.modifiers.new("s", "SUBSURF").levels = 1


@pytest.mark.parametrize("change", [hide, mirror, share_mesh, name_strangely, scale, subdivide])
def test_objects_as_users_have_them(change: Callable[[bpy.types.Object, bpy.types.Object], None]) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    change(source, target)
    bpy.context.view_layer.update()
    before = state()
    finish(workflow.transfer(source, target, ["weights", "attributes", "texture"], GEOMETRIC))
    after = state()
    assert [group.name for group in target.vertex_groups] == [group.name for group in source.vertex_groups]
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    for name in ("objects", "scenes", "selected", "active", "scene"):
        assert after[name] == before[name]


def test_edit_mode_can_be_read_but_not_written() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    bpy.context.view_layer.objects.active = source
    target.select_set(False)
    bpy.ops.object.mode_set(mode="EDIT")
    finish(workflow.transfer(source, target, ["weights"], GEOMETRIC))
    assert source.mode == "EDIT"
    assert len(target.vertex_groups) == 2
    refused(workflow.features([source], GEOMETRIC), InputError, "edit-mode")


def test_linked_meshes_are_sources_but_no_targets(tmp_path: Path) -> None:
    paint(creature("library"))
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "library.blend"))
    open_empty_file()
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["library"]
    linked = bpy.data.objects["library"]
    bpy.context.scene.collection.objects.link(linked)
    target = creature("target", 1.2)
    finish(workflow.transfer(linked, target, ["weights"], GEOMETRIC))
    assert len(target.vertex_groups) == 2
    refused(workflow.transfer(target, linked, ["weights"], GEOMETRIC), InputError, "read-only")


def test_pictures_of_the_views(small_model: str, tmp_path: Path) -> None:
    options = workflow.Options(
        workflow.FeatureOptions(
            "dinov2", model=small_model, layers=(2,), rings=((0, 2), (45, 1)), resolution=112, pictures=str(tmp_path)
        )
    )
    finish(workflow.features([creature("one", subdivisions=2)], options))
    pictures = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(pictures) == 6
    assert all((tmp_path / "one" / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_textured_features_follow_the_materials(small_model: str) -> None:
    """Other colors are other features; the same colors are found in the cache; other styles do not care."""
    obj = creature("painted", subdivisions=2)
    paint(obj)
    plain = workflow.Options().changed(model=small_model, features="dinov2", views=3, resolution=56, device="cpu")
    textured = plain.changed(style="textured")
    settings = state()["scene"]

    def key(options: workflow.Options) -> str:
        return Path(finish(workflow.features([obj], options)).data["features"][0]).name

    first, same, normal = key(textured), key(textured), key(plain)
    pixels = np.zeros(64 * 64 * 4, np.float32)
    bpy.data.images["skin"].pixels.foreach_set(pixels)
    other, unmoved = key(textured), key(plain)
    assert first == same != other
    assert normal == unmoved
    assert first != normal
    assert state()["scene"] == settings


def test_clothes_take_weights_from_the_body_without_a_match() -> None:
    open_empty_file()
    body, cloth = creature("body"), creature("cloth", subdivisions=3)
    paint(body)
    body.vertex_groups["upper"].name, body.vertex_groups["lower"].name = "arm.L", "spine"
    cloth.scale = (1.04, 1.04, 1.04)
    for obj in (body, cloth):
        obj.location = (5, 0, 0)
    bpy.context.view_layer.update()
    options = workflow.Options(weights=workflow.WeightOptions(rename=(("spine", "Spine"),)))
    told: list[Progress] = []
    report = finish(workflow.transfer(body, cloth, ["weights"], options), told.append)
    assert "Matching" not in " ".join(progress.stage for progress in told)
    assert report.details[0].startswith("From the nearest point of the source")
    assert cloth.vertex_groups.keys() == ["arm.L", "Spine", "arm.R"]
    for vertex in cloth.data.vertices:
        found = {cloth.vertex_groups[one.group].name: one.weight for one in vertex.groups}
        assert sum(found.values()) == pytest.approx(1, abs=1e-6)
    heights = np.array([vertex.co.z for vertex in cloth.data.vertices])
    share = (heights - heights.min()) / np.ptp(heights)
    arm = np.array([sum(one.weight for one in vertex.groups if one.group == 0) for vertex in cloth.data.vertices])
    assert np.abs(arm - share).mean() < 0.03
    forced = finish(
        workflow.transfer(
            body,
            cloth,
            ["weights"],
            workflow.Options(workflow.FeatureOptions("geometric"), weights=workflow.WeightOptions(nearness="never")),
        )
    )
    assert forced.details[0].startswith("From the match")
    assert "confidence" not in report.data
    assert f"The match's confidence is {forced.data['confidence']:.0%} on average." in forced.details


def test_weights_by_features_and_by_the_map_are_compared() -> None:
    open_empty_file()
    source, target = creature("source"), creature("target", 1.1, subdivisions=3)
    paint(source)
    options = workflow.Options(workflow.FeatureOptions("geometric"), weights=workflow.WeightOptions(method="features"))
    report = finish(workflow.transfer(source, target, ["weights"], options))
    assert report.details[0].startswith("From the features")
    assert any("held-out patches" in line for line in report.details)
    for vertex in target.data.vertices:
        assert sum(one.weight for one in vertex.groups) == pytest.approx(1, abs=1e-6)
    unknown: Any = "magic"
    wrong = workflow.Options(weights=workflow.WeightOptions(method=unknown))
    refused(workflow.transfer(source, target, ["weights"], wrong), InputError, "way-unknown")
