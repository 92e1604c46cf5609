"""Data sets through the workflow: pictures agree with what is known about them, and nothing in the scene changes."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector

import meshkin
from helpers.main_job import refused
from helpers.places import TESTS
from meshkin import workflow
from meshkin.base import storage
from meshkin.base.errors import InputError, StorageError
from meshkin.base.progress import finish
from meshkin.dataset.options import FORMAT_CHOICES
from meshkin.dataset.record import DataFolder, PicturePasses, SetRecord
from meshkin.geometry.arrays import Floats
from meshkin.workflow import DatasetOptions, LookOptions, Options

pytestmark = pytest.mark.usefixtures("own_home")

RED, GREEN, BLUE = (1, 0, 0), (0, 1, 0), (0, 0, 1)


def glowing(name: str, color: tuple[int, int, int]) -> bpy.types.Material:
    """A material that has one color however it is lit."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    emission, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    emission.inputs["Color"].default_value = (*color, 1)
    links.new(emission.outputs[0], output.inputs["Surface"])
    return material


def place(name: str, color: tuple[int, int, int], at: tuple[float, float, float]) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    corners = [(x, y, z) for x in (-1, 1) for y in (-0.6, 0.6) for z in (-0.5, 0.5)]
    quads = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    mesh.from_pydata([(x * (1.3 if z > 0 else 1), y, z) for x, y, z in corners], [], quads)
    mesh.materials.append(glowing(name, color))
    obj = bpy.data.objects.new(name, mesh)
    obj.location = at
    bpy.context.scene.collection.objects.link(obj)
    return obj


@pytest.fixture
def objects() -> list[bpy.types.Object]:
    """A rounded one whose modifier is for renders alone, a mirrored one that is stretched, and an instancer."""
    round_one = place("Stone", RED, (0, 0, 0.6))
    modifier = round_one.modifiers.new("Subdivision", "SUBSURF")
    modifier.levels, modifier.render_levels = 0, 2
    mirrored = place("Block.001", GREEN, (-3, 1, 0.6))
    mirrored.scale, mirrored.rotation_euler = (-1, 1.4, 0.7), (0.2, 0.1, 0.8)
    inner = place("Inner", BLUE, (0.4, 0, 0))
    kept = bpy.data.collections.new("Kept")
    kept.objects.link(inner)
    bpy.context.scene.collection.objects.unlink(inner)
    instancer = bpy.data.objects.new("Thing.002", None)
    instancer.instance_type, instancer.instance_collection = "COLLECTION", kept
    instancer.location, instancer.scale = (2.6, -1, 0.8), (0.8, 0.8, 0.8)
    bpy.context.scene.collection.objects.link(instancer)
    for name, at in (("tip", (1.0, 0, 0)), ("core", (0, 0, 0))):
        empty = bpy.data.objects.new(name, None)
        empty.parent, empty.location = round_one, at
        bpy.context.scene.collection.objects.link(empty)
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.context.view_layer.update()
    return [round_one, mirrored, instancer]


def options(**chosen: object) -> Options:
    small: dict[str, object] = {"count": 3, "resolution": 64, "samples": 4, "distance": 3.0, "cameras": "dst3"}
    return Options(dataset=DatasetOptions(**{**small, **chosen}))  # type: ignore[arg-type]


def pixels(path: Path) -> Floats:
    """A PNG file's colors in [0, 1], (H, W, 3), row 0 at the top."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = np.array(image.pixels[:]).reshape(image.size[1], image.size[0], -1)[::-1, :, :3]
    bpy.data.images.remove(image)
    return values


def check_pictures(folder: DataFolder) -> int:
    """Compare masks with the colors that Cycles gave the objects; returns how many objects were compared."""
    compared = 0
    colors = {"Stone": RED, "Block.001": GREEN, "Thing.002/Inner": BLUE}
    for number in folder.numbers():
        record, passes = folder.load(number), PicturePasses.load(folder.passes(number))
        shown = pixels(folder.picture(number))
        for instance in record.instances:
            mask = passes.object == instance.id
            there = np.abs(shown - colors[instance.name]).max(axis=2) < 0.5
            if mask.sum() < 60:
                continue
            outline = mask.sum() ** 0.5 * 4  # a pixel at an outline may be either
            assert (mask ^ there).sum() < 0.3 * outline, (number, instance.name)
            compared += 1
    return compared


def test_pictures_show_what_is_known(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    report = finish(workflow.dataset(objects, tmp_path, options(formats=("coco", "bop"))))
    assert report.warnings == []
    assert report.data["pictures"] == 3
    assert Path(report.data["sheet"]).is_file()
    folder, data = DataFolder(tmp_path), SetRecord.load(tmp_path)
    assert check_pictures(folder) >= 5
    assert data.categories == ["Block", "Stone", "Thing"]
    stone = next(model for model in data.models if model.category == "Stone")
    assert stone.key_points == ("tip", "core")
    assert len(folder.load_model(stone.number)[0]) > 90  # as rendered, not as in the viewport
    for record in folder.load_all():
        for instance in record.instances:
            if instance.name == "Stone":
                places = {point.name: point.place for point in instance.key_points}
                assert places["tip"] == pytest.approx((1, 0, 0.6), abs=1e-6)
    assert (tmp_path / "annotations.json").is_file()
    assert (tmp_path / "bop" / "models" / "obj_000003.ply").is_file()


def test_places_on_the_surface_and_symmetries_are_known(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    """Places are those of an attribute, by which other meshes can have the same ones; flat objects have boxes, too."""
    block = objects[1]
    layer = block.data.attributes.new("meshkin_coordinates", "FLOAT_VECTOR", "POINT")
    layer.data.foreach_set("vector", np.ravel([0.1 * vertex.co + Vector((0.5,) * 3) for vertex in block.data.vertices]))
    bpy.ops.mesh.primitive_plane_add(size=2, location=(0, -4, 0.01))
    flat = bpy.context.object
    flat.name = "Flat"
    everything = tuple(choice.value for choice in FORMAT_CHOICES)
    report = finish(workflow.dataset([*objects, flat], tmp_path, options(count=4, formats=everything)))
    assert report.warnings == []
    to_object = np.array(block.matrix_world.inverted())
    folder, compared = DataFolder(tmp_path), 0
    for record in folder.load_all():
        passes, camera = PicturePasses.load(folder.passes(record.number)), record.camera
        for instance in (each for each in record.instances if each.name == block.name):
            row, column = np.nonzero(passes.object == instance.id)
            rays = np.column_stack((column + 0.5, row + 0.5, np.ones(len(row)))) @ np.linalg.inv(camera.matrix).T
            points = (rays * passes.depth[row, column, None] - camera.translation) @ camera.rotation
            places = points @ to_object[:3, :3].T + to_object[:3, 3]
            assert np.abs(passes.coordinates[row, column] - (0.1 * places + 0.5)).max() < 2e-3
            compared += len(row)
    assert compared > 100
    turns = {model.category: len(model.symmetries.discrete) for model in SetRecord.load(tmp_path).models}
    assert (turns["Stone"], turns["Flat"]) == (1, 7)  # about Z by half a turn; those of a square
    info = json.loads((tmp_path / "bop" / "models" / "models_info.json").read_text())
    assert sorted(len(model.get("symmetries_discrete", [])) for model in info.values()) == sorted(turns.values())
    for file in tmp_path.rglob("*.json"):
        assert "NaN" not in file.read_text()


def character(at: tuple[float, float, float]) -> bpy.types.Object:
    """An armature with a body that it poses and a head that hangs on its bone, each with a key point and a part."""
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("Rig"))
    bpy.context.scene.collection.objects.link(rig)
    rig.location = at
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("spine")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    body, head = place("Knight_Body", RED, (0, 0, 0.6)), place("Knight_Head", RED, (0, 0, 1.6))
    body.parent, head.parent = rig, rig
    body.vertex_groups.new(name="spine").add(range(8), 1.0, "REPLACE")
    body.modifiers.new("Armature", "ARMATURE").object = rig
    head.parent_type, head.parent_bone, head.location = "BONE", "spine", (0, 0.5, 0)
    for piece, part in ((body, "trunk"), (head, "skull")):
        piece.data.attributes.new("meshkin_part", "INT", "FACE")
        piece["meshkin_parts"] = [part]
        point = bpy.data.objects.new(f"middle of {part}", None)
        point.parent = piece
        bpy.context.scene.collection.objects.link(point)
    bpy.context.view_layer.update()
    return rig


@pytest.mark.parametrize("is_shown_by_an_empty", [False, True])
def test_a_character_of_pieces_is_one_object(tmp_path: Path, is_shown_by_an_empty: bool) -> None:
    rig = character((0.5, 0, 0))
    chosen = [rig, *(obj for obj in bpy.context.scene.objects if obj.type == "MESH")]
    rig.pose.bones["spine"].rotation_mode = "XYZ"
    rig.pose.bones["spine"].rotation_euler = (0, 0, 0.7)
    name = "Rig"
    if is_shown_by_an_empty:
        name, kept = "Knight.003", bpy.data.collections.new("Kept")
        for obj in list(bpy.context.scene.objects):
            kept.objects.link(obj)
            bpy.context.scene.collection.objects.unlink(obj)
        chosen = [bpy.data.objects.new(name, None)]
        chosen[0].instance_type, chosen[0].instance_collection = "COLLECTION", kept
        chosen[0].location = (0, 2, 0)
        bpy.context.scene.collection.objects.link(chosen[0])
    bpy.context.scene.view_settings.view_transform = "Standard"
    bpy.context.view_layer.update()
    report = finish(workflow.dataset(chosen, tmp_path, options(formats=("coco",))))
    assert report.warnings == []
    folder, data = DataFolder(tmp_path), SetRecord.load(tmp_path)
    assert [(model.category, model.parts) for model in data.models] == [("Knight", ("trunk", "skull"))]
    assert set(data.models[0].key_points) == {"middle of trunk", "middle of skull"}
    assert len(folder.load_model(1)[0]) == 16
    for record in folder.load_all():
        passes, (one,) = PicturePasses.load(folder.passes(record.number)), record.instances
        assert one.name == name
        assert np.allclose(one.model_to_world[:3, 3], chosen[0].location)
        red = np.abs(pixels(folder.picture(record.number)) - RED).max(axis=2) < 0.5
        assert ((passes.object == one.id) ^ red).sum() < 0.3 * 4 * red.sum() ** 0.5
        assert set(np.unique(passes.part[passes.object == one.id])) == {1, 2}
    alone = [obj for obj in chosen if obj.type == "MESH"]
    if alone:
        finish(workflow.dataset(alone, tmp_path / "pieces", options()))
        assert SetRecord.load(tmp_path / "pieces").categories == ["Knight_Body", "Knight_Head"]


def test_an_armature_stands_for_its_only_mesh(tmp_path: Path) -> None:
    """Of the two whose class is the armature's name, and of that whose armature's name says nothing."""
    fox = character((0, 0, 0))
    fox.name = "Fox"
    other = character((4, 0, 0))
    for head in [obj for obj in bpy.context.scene.objects if obj.name.startswith("Knight_Head")]:
        bpy.data.objects.remove(head)
    report = finish(workflow.dataset([fox, other], tmp_path, options(around="all", distance=3.0)))
    assert report.warnings == []
    assert SetRecord.load(tmp_path).categories == ["Fox", "Knight_Body"]
    seen = {instance.name for record in DataFolder(tmp_path).load_all() for instance in record.instances}
    assert seen == {"Fox", "Rig"}


def state() -> object:
    """What people would notice if it changed."""
    scene = bpy.context.scene
    blocks = {name: sorted(getattr(bpy.data, name).keys()) for name in ("scenes", "objects", "meshes", "cameras")}
    matrices = [(obj.name, tuple(map(tuple, obj.matrix_world))) for obj in scene.objects]
    render = scene.render
    facts = (scene.frame_current, render.engine, render.resolution_x, render.filepath, scene.camera)
    # Blender 4.2 counts what is in a copied scene once too often.
    users = [obj.users for obj in scene.objects] if bpy.app.version >= (4, 3) else []
    return blocks, matrices, facts, users, bpy.context.selected_objects


def test_the_scene_stays_as_it_is(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    stone, scene = objects[0], bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 4
    stone.keyframe_insert("location", frame=1)
    stone.location.z = 2.6
    stone.keyframe_insert("location", frame=4)
    scene.frame_set(2)
    stone.location.x = 0.25  # not keyed, so that it would be lost
    bpy.context.view_layer.update()
    before = state()
    finish(workflow.dataset(objects, tmp_path, options(animate=True, count=4, seed=3)))
    assert state() == before
    heights = {}
    for record in DataFolder(tmp_path).load_all():
        for instance in record.instances:
            if instance.name == "Stone":
                heights[record.frame] = instance.model_to_world[2, 3]
    assert len(set(heights.values())) > 1
    assert check_pictures(DataFolder(tmp_path)) >= 4


def test_the_scenes_own_cameras(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, 2
    scene.render.resolution_x, scene.render.resolution_y, scene.render.pixel_aspect_x = 200, 120, 1.5
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.shift_x, camera.data.shift_y = 30, 0.1, -0.05
    camera.data.sensor_fit = "VERTICAL"
    scene.collection.objects.link(camera)
    camera.location, camera.rotation_euler = (1, -9, 3), (1.25, 0.15, 0.1)
    camera.keyframe_insert("location", frame=1)
    camera.location.x = 3
    camera.keyframe_insert("location", frame=2)
    scene.frame_set(1)
    report = finish(workflow.dataset(objects, tmp_path, options(cameras="scene", count=10, resolution=80)))
    folder = DataFolder(tmp_path)
    assert report.data["pictures"] == 2  # one camera, two frames
    first = folder.load(0)
    assert (first.width, first.height) == (80, 48)
    assert first.camera.matrix[0, 0] != pytest.approx(first.camera.matrix[1, 1])
    assert first.camera.place[0] == pytest.approx(1)
    assert folder.load(1).camera.place[0] == pytest.approx(3)
    assert check_pictures(folder) >= 4
    camera.data.type = "ORTHO"
    refused(workflow.dataset(objects, tmp_path / "b", options(cameras="scene")), InputError, "dataset-camera")


def test_a_stopped_set_goes_on(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    finish(workflow.dataset(objects, tmp_path / "whole", options()))
    whole = DataFolder(tmp_path / "whole").load_all()
    folder = DataFolder(tmp_path / "parts")
    job = workflow.dataset(objects, folder.path, options())
    while len(folder.numbers()) < 2:
        next(job)
    job.close()
    times = [folder.record(number).stat().st_mtime_ns for number in (0, 1)]
    assert len(bpy.data.scenes) == 1
    finish(workflow.dataset(objects, folder.path, options()))
    assert [folder.record(number).stat().st_mtime_ns for number in (0, 1)] == times
    assert folder.load_all() == whole
    refused(workflow.dataset(objects[:1], folder.path, options()), InputError, "dataset-other")
    refused(workflow.dataset(objects, folder.path, options(seed=5)), InputError, "dataset-other")


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk is full when the sixth file of the set is to be put in its place."""
    count = 0
    really = storage._replace

    def fails(source: Path, target: Path) -> None:
        nonlocal count
        count += {"pictures", "passes", "records"} & set(target.parts) != set()
        if count > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(source, target)

    monkeypatch.setattr(storage, "_replace", fails)
    yield
    monkeypatch.undo()


def test_a_full_disk_leaves_whole_pictures(
    objects: list[bpy.types.Object], tmp_path: Path, full_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(workflow.dataset(objects, tmp_path, options()), StorageError, "disk-full")
    folder = DataFolder(tmp_path)
    assert folder.numbers() == [0]
    assert not list(tmp_path.rglob(".*"))
    monkeypatch.undo()
    report = finish(workflow.dataset(objects, tmp_path, options()))
    assert report.data["pictures"] == 3
    assert report.warnings == []


def test_what_cannot_be_a_set_is_told(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    stone = objects[0]
    refused(workflow.dataset([], tmp_path, options()), InputError, "dataset-empty")
    light = bpy.data.objects.new("Light", bpy.data.lights.new("Light", "SUN"))
    bpy.context.scene.collection.objects.link(light)
    refused(workflow.dataset([light], tmp_path, options()), InputError, "dataset-empty")
    refused(workflow.dataset(objects, tmp_path, options(cameras="scene")), InputError, "dataset-no-camera")
    stone.hide_render = True
    refused(workflow.dataset([stone], tmp_path, options()), InputError, "dataset-hidden")
    stone.hide_render, stone.scale = False, (0, 0, 0)
    refused(workflow.dataset([stone], tmp_path, options()), InputError, "mesh-no-area")
    stone.scale = (1, 1, 1)
    wall = place("Wall", GREEN, (0, 0, 0.6))
    wall.scale = (1.5, 2.2, 2.5)  # around it, so that no camera sees it
    refused(workflow.dataset([stone], tmp_path, options()), InputError, "dataset-no-view")
    refused(workflow.dataset([stone], tmp_path, options(share="3/2")), InputError, "option-invalid")
    assert DataFolder(tmp_path).numbers() == []
    assert len(bpy.data.scenes) == 1


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of small random networks by their roles; that for depth is as good as another for edges."""
    folder = tmp_path_factory.mktemp("models")
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:];"
        "from helpers import small_diffusion; small_diffusion.everything(Path(sys.argv[1]))"
    )
    core = str(Path(meshkin.__file__).parent.parent)
    command = [os.environ["MESHKIN_WORKER_PYTHON"], "-c", code, str(folder), str(TESTS), core]
    subprocess.run(command, check=True, capture_output=True)
    return {"base": str(folder / "base"), "edges": str(folder / "depth"), "normal": str(folder / "normal")}


@pytest.mark.slow
def test_pictures_are_painted_and_gone_on_with(
    objects: list[bpy.types.Object], networks: dict[str, str], tmp_path: Path
) -> None:
    look = LookOptions(
        look="painted", control=("edges", "normal"), steps=2, repaint="background", models=networks, slow=True
    )
    chosen = replace_options(options(formats=("coco",)), look)
    refused(
        workflow.dataset(objects, tmp_path, replace_options(chosen, replace(look, slow=False))),
        InputError,
        "paint-slow",
    )
    assert not DataFolder(tmp_path).numbers()  # told before anything was rendered
    job = workflow.dataset(objects, tmp_path, chosen)
    folder = DataFolder(tmp_path)
    while folder.painting(0) is None:
        next(job)
    job.close()
    assert folder.numbers() == [0, 1, 2]
    first = folder.painted(0).read_bytes()
    report = finish(workflow.dataset(objects, tmp_path, chosen))
    assert any("painted so before: 1" in line for line in report.details)
    assert report.warnings == []
    assert folder.painted(0).read_bytes() == first
    for number in folder.numbers():
        changed = (pixels(folder.picture(number)) != pixels(folder.rendered(number))).any(axis=2)
        objects_seen = PicturePasses.load(folder.passes(number)).object > 0
        assert not changed[objects_seen].any()
        assert changed[~objects_seen].mean() > 0.9
    again = finish(workflow.paint_dataset(tmp_path, replace_options(chosen, replace(look, guidance=2.0))))
    assert any("Painted: 3" in line for line in again.details)


def replace_options(chosen: Options, look: LookOptions) -> Options:
    return Options(dataset=chosen.dataset, look=look)


def test_words_are_looked_at_before_anything_is_rendered(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    look = LookOptions(look="painted", prompt="a {class} in {weather}")
    refused(workflow.dataset(objects, tmp_path, replace_options(options(), look)), InputError, "words-wrong")
    assert not DataFolder(tmp_path).numbers()
    finish(workflow.dataset(objects, tmp_path, options(count=1)))
    judged = options(judge="shape")
    refused(workflow.filter_dataset(tmp_path, judged), InputError, "dataset-not-painted")


def test_objects_behind_the_camera_and_darkness_are_told(tmp_path: Path) -> None:
    stone = place("Stone", RED, (0, 5, 0))
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.rotation_euler = (-1.57, 0, 0)  # away from it
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.frame_end = 1
    report = finish(workflow.dataset([stone], tmp_path, options(cameras="scene")))
    told = " ".join(warning.message for warning in report.warnings)
    assert "1 of 1 pictures show none of the objects" in told
    assert "dark" in told
    assert "No picture shows a Stone" in told
    (record,) = DataFolder(tmp_path).load_all()
    assert record.instances == ()


def test_damage_is_found(objects: list[bpy.types.Object], tmp_path: Path) -> None:
    finish(workflow.dataset(objects, tmp_path, options()))
    folder = DataFolder(tmp_path)
    folder.passes(1).write_bytes(b"PK")
    record = folder.load(2)
    folder.save(replace(record, intrinsics=tuple((np.array(record.intrinsics) / 2).tolist())))
    report = finish(workflow.check_dataset(tmp_path))
    told = " ".join(warning.message for warning in report.warnings)
    assert "Picture 1" in told
    assert "not where its 3D box is" in told
    refused(workflow.check_dataset(tmp_path / "none"), InputError, "no-dataset")
