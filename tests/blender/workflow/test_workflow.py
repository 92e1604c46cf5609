"""The main job from end to end: real objects, a real worker, real faults; each leaves the scene as it was."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from helpers.creatures import add_height_values, creature
from helpers.processes import has_ended, wait_for
from helpers.skins import add_image_material
from meshkin import workflow
from meshkin.base.errors import InputError, MeshKinError, StorageError, WorkerError
from meshkin.base.progress import Progress, finish
from meshkin.data.surface_map import Match
from meshkin.scene.mesh.attributes import PREFIX
from meshkin.worker import client
from meshkin.worker.requests.weights import WeightArrays

GEOMETRIC = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=256))
MATCHED = workflow.Options(workflow.FeatureOptions("geometric"), weights=workflow.WeightOptions(nearness="never"))
"""Through the match, also where the two creatures stand in one another."""


def paint(obj: bpy.types.Object) -> None:
    """Give an object an image texture, two vertex groups and an attribute, functions of place."""
    image = bpy.data.images.new("skin", 64, 64)
    ramp = np.ones((64, 64, 4), np.float32)
    ramp[..., 0], ramp[..., 1] = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 64))
    image.pixels.foreach_set(ramp.ravel())
    add_image_material(obj, image)
    add_height_values(obj)


def state() -> dict[str, Any]:
    """What a job could have changed."""
    groups = (
        "objects",
        "meshes",
        "scenes",
        "collections",
        "materials",
        "images",
        "cameras",
        "lights",
        "worlds",
        "texts",
    )
    layer, scene = bpy.context.view_layer, bpy.context.scene
    return {
        **{name: sorted(item.name for item in getattr(bpy.data, name)) for name in groups},
        "attributes": {mesh.name: sorted(one.name for one in mesh.attributes) for mesh in bpy.data.meshes},
        "groups": {obj.name: [group.name for group in obj.vertex_groups] for obj in bpy.data.objects},
        "slots": {obj.name: [slot.name for slot in obj.material_slots] for obj in bpy.data.objects},
        "selected": [obj.name for obj in layer.objects.selected],
        "active": layer.objects.active and (layer.objects.active.name, layer.objects.active.mode),
        "scene": (scene.name, scene.render.engine, scene.frame_current, scene.view_settings.view_transform),
        "properties": {obj.name: sorted(obj.keys()) for obj in bpy.data.objects},
    }


def refused(job: workflow.Steps, kind: type[MeshKinError], code: str) -> None:
    """The job fails with this error, which says what to do, and changes nothing."""
    before = state()
    with pytest.raises(kind) as caught:
        finish(job)
    assert caught.value.code == code
    assert caught.value.message.endswith((".", "\n"))
    assert caught.value.fix
    assert state() == before


def test_features_of_several_objects_in_one_basis() -> None:
    one, two = creature("one"), creature("two", 1.2)
    report = finish(workflow.features([one, two], GEOMETRIC))
    assert len(report.data["features"]) == 2
    for obj in (one, two):
        names = {attribute.name for attribute in obj.data.attributes}
        expected = {"color", "views", "confidence", *(f"pca_{index:02d}" for index in range(16))}
        assert {PREFIX + name for name in expected} <= names
    assert channel_difference(one, two) < channel_difference(one, two, shuffled=True) / 2


def channel_difference(one: bpy.types.Object, two: bpy.types.Object, shuffled: bool = False) -> float:
    """Mean distance of the shown colors of vertices of the same number, or of any two vertices."""
    colors = []
    for obj in (one, two):
        values = np.empty(len(obj.data.vertices) * 4, np.float32)
        obj.data.attributes[PREFIX + "color"].data.foreach_get("color", values)
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
    assert PREFIX + "match_confidence" in target.data.attributes


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
    for name in ("objects", "meshes", "scenes", "selected", "active", "scene"):
        assert after[name] == before[name]


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
    bpy.ops.wm.read_factory_settings(use_empty=True)
    with bpy.data.libraries.load(str(tmp_path / "library.blend"), link=True) as (_, wanted):
        wanted.objects = ["library"]
    linked = bpy.data.objects["library"]
    bpy.context.scene.collection.objects.link(linked)
    target = creature("target", 1.2)
    finish(workflow.transfer(linked, target, ["weights"], GEOMETRIC))
    assert len(target.vertex_groups) == 2
    refused(workflow.transfer(target, linked, ["weights"], GEOMETRIC), InputError, "read-only")


def mesh_object(name: str, vertices: Vertices, edges: Corners, faces: Corners) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, edges, faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


Vertices = list[tuple[float, float, float]]
Corners = list[tuple[int, ...]]
NAN = float("nan")


@pytest.mark.parametrize(
    ("vertices", "edges", "faces", "code"),
    [
        ([], [], [], "mesh-empty"),
        ([(0, 0, 0), (1, 0, 0)], [(0, 1)], [], "mesh-empty"),
        ([(0, 0, 0), (1, 0, 0), (2, 0, 0)], [], [(0, 1, 2)], "mesh-no-area"),
        ([(0, 0, 0), (1, 0, 0), (0, 1, 0), (NAN, NAN, NAN)], [], [(0, 1, 2), (0, 2, 3)], "mesh-nan"),
    ],
    ids=["empty", "loose", "flat", "nan"],
)
def test_broken_meshes_are_refused(vertices: Vertices, edges: Corners, faces: Corners, code: str) -> None:
    good, bad = creature("good", subdivisions=2), mesh_object("bad", vertices, edges, faces)
    refused(workflow.features([bad], GEOMETRIC), InputError, code)
    refused(workflow.match(good, bad, GEOMETRIC), InputError, code)
    refused(workflow.match(bad, good, GEOMETRIC), InputError, code)


def test_one_triangle_and_thousands_of_loose_parts_work() -> None:
    triangle = bpy.data.objects.new("triangle", bpy.data.meshes.new("triangle"))
    triangle.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    corners = np.random.default_rng(1).normal(size=(10_000, 1, 3)) + 0.01 * np.eye(3)
    crumbs = bpy.data.objects.new("crumbs", bpy.data.meshes.new("crumbs"))
    crumbs.data.from_pydata(corners.reshape(-1, 3).tolist(), [], np.arange(30_000).reshape(-1, 3).tolist())
    for obj in (triangle, crumbs):
        bpy.context.scene.collection.objects.link(obj)
    report = finish(workflow.match(triangle, crumbs, GEOMETRIC))
    found = Match.load(Path(report.data["map"]))
    assert np.isfinite(found.to_source.barycentric).all()


def test_wishes_that_cannot_be_granted() -> None:
    source, target = creature("source", subdivisions=2), creature("target", subdivisions=2)
    refused(workflow.match(source, source, GEOMETRIC), InputError, "same-object")
    refused(workflow.features([], GEOMETRIC), InputError, "nothing-selected")
    refused(workflow.transfer(source, target, ["soul"], GEOMETRIC), InputError, "transfer-unknown")
    refused(workflow.transfer(source, target, [], GEOMETRIC), InputError, "transfer-unknown")
    refused(workflow.transfer(source, target, ["texture"], GEOMETRIC), InputError, "no-texture")
    refused(workflow.transfer(source, target, ["weights"], GEOMETRIC), InputError, "no-groups")
    refused(workflow.transfer(source, target, ["attributes"], GEOMETRIC), InputError, "no-attributes")
    refused(
        workflow.features([source], workflow.Options(workflow.FeatureOptions("magic"))), InputError, "features-unknown"
    )
    paint(source)
    source.data.uv_layers.remove(source.data.uv_layers[0])
    refused(workflow.transfer(source, target, ["texture"], GEOMETRIC), InputError, "no-uvs")


def test_a_target_changed_while_the_job_runs_is_left_alone() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.23, subdivisions=3)
    paint(source)

    def job() -> workflow.Steps:
        for progress in workflow.transfer(source, target, ["weights"], MATCHED):
            if progress.stage == "Comparing features":
                target.data.vertices[0].co.x = 3
            yield progress
        raise AssertionError("it should not come to its end")

    refused(job(), InputError, "mesh-changed")


@pytest.mark.parametrize("options", [GEOMETRIC, MATCHED], ids=["worn", "matched"])
def test_a_target_deleted_while_the_job_runs(options: workflow.Options) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    running = workflow.transfer(source, target, ["weights"], options)
    next(running)
    bpy.data.objects.remove(target)
    with pytest.raises(InputError) as caught:
        finish(running)
    assert caught.value.code == "object-gone"


def stages_of(make: Callable[[], workflow.Steps]) -> list[str]:
    """Every stage that a job reports, in order."""
    stages: list[str] = []
    finish(make(), lambda progress: stages.append(progress.stage))
    return list(dict.fromkeys(stages))


@pytest.mark.slow
def test_a_worker_killed_in_any_stage_is_reported_and_replaced(home: Path, small_model: str) -> None:
    options = workflow.Options(
        workflow.FeatureOptions("dinov2+geometric", model=small_model, layers=(2,), views=3, resolution=112),
        weights=workflow.WeightOptions(nearness="never"),
    )
    cache = home / "killed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_CACHE", str(cache))
        client.stop()
        source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
        paint(source)
        before = state()
        stages = stages_of(lambda: workflow.transfer(source, target, ["weights"], options))
        died, done = ("worker-died", before), ("", state())
        assert set(KILLED_IN) <= set(stages)
        for stage, expected in KILLED_IN.items():
            bpy.ops.wm.read_factory_settings(use_empty=True)
            source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
            paint(source)
            for file in cache.rglob("*.*"):
                file.unlink()
            outcomes = {"died": [died], "done": [done], "either": [died, done]}[expected]
            assert outcome_when_killed(stage, workflow.transfer(source, target, ["weights"], options)) in outcomes
        client.stop()
        finish(workflow.transfer(source, target, ["weights"], options))
    client.stop()


KILLED_IN = {
    "Rendering views": "done",
    "Reading pictures (DINOv2)": "died",
    "Measuring the surface": "died",
    "Comparing features": "died",
    "Carrying weights": "either",
}
"""What comes of it when the worker is killed in a stage. It has nothing to do while views are rendered: the next job
starts another. Its answer may have come already when it is killed while it carries weights, which takes no time here.
"""


def outcome_when_killed(stage: str, job: workflow.Steps) -> tuple[str, dict[str, Any]]:
    """Drive a job and kill the worker, as the system would, when the stage is reached.

    Returns the code of the error that came of it, "" for none, and the state then.
    """
    killed = False

    def look(progress: Progress) -> None:
        nonlocal killed
        if progress.stage == stage and not killed:
            killed = True
            pid = client.shared().pid
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: has_ended(pid), "it is not killed")

    try:
        finish(job, look)
    except WorkerError as error:
        return error.code, state()
    return "", state()


def test_inpainting_that_could_not_be_solved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.2, subdivisions=3)
    paint(source)
    solved = finish(workflow.transfer(source, target, ["weights"], MATCHED))
    assert not any("could not be solved" in line for line in solved.details)
    load = WeightArrays.load

    def partly_unsolved(path: Path) -> WeightArrays:
        arrays = load(path)
        return replace(arrays, unsolved=np.arange(len(arrays.weights)) < 65)

    monkeypatch.setattr(WeightArrays, "load", partly_unsolved)
    approximated = finish(workflow.transfer(source, target, ["weights"], MATCHED))
    (sentence,) = [line for line in approximated.details if "could not be solved" in line]
    assert sentence.startswith("“target”: inpainting could not be solved for 40.1% of the vertices")


def test_cancelled_in_any_step_nothing_is_changed() -> None:
    source, target = creature("source", subdivisions=3), creature("target", 1.21, subdivisions=3)
    paint(source)
    before = state()
    for steps in (1, 2, 4, 8, 16, 64):
        job = workflow.transfer(source, target, ["weights", "texture"], GEOMETRIC)
        for _ in range(steps):
            next(job)
        job.close()
        assert state() == before
    finish(workflow.transfer(source, target, ["weights", "texture"], GEOMETRIC))


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_CACHE", str(tmp_path / "file" / "cache"))
        client.stop()
        obj = creature("one", subdivisions=2)
        before = state()
        with pytest.raises(StorageError) as caught:
            finish(workflow.features([obj], GEOMETRIC))
        assert str(tmp_path / "file") in caught.value.message
        assert state() == before
    client.stop()


def test_truncated_weights_are_noticed_before_a_view_is_rendered(small_model: str, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(small_model, damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    options = workflow.Options(
        workflow.FeatureOptions("dinov2", model=str(damaged), layers=(2,), views=2, resolution=112)
    )
    obj = creature("one", subdivisions=2)
    stages: list[str] = []
    with pytest.raises(MeshKinError) as caught:
        finish(workflow.features([obj], options), lambda progress: stages.append(progress.stage))
    assert caught.value.code == "model-damaged"
    assert "Rendering views" not in stages


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
    bpy.ops.wm.read_factory_settings(use_empty=True)
    body, cloth = creature("body"), creature("cloth", subdivisions=3)
    paint(body)
    body.vertex_groups["upper"].name, body.vertex_groups["lower"].name = "arm.L", "spine"
    cloth.scale = (1.04, 1.04, 1.04)
    for obj in (body, cloth):
        obj.location = (5, 0, 0)
    bpy.context.view_layer.update()
    options = workflow.Options(weights=workflow.WeightOptions(rename=(("spine", "Spine"),)))
    job = workflow.transfer(body, cloth, ["weights"], options)
    stages = set()
    try:
        while True:
            stages.add(next(job).stage)
    except StopIteration as stop:
        report = stop.value
    assert "Matching" not in " ".join(stages)
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


def test_weights_by_features_and_by_the_map_are_compared() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
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
