"""The command line as people use it: real processes, their output, their exit codes, the files they leave."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from numpy.typing import NDArray

import meshkin
from meshkin import workflow
from meshkin.progress import finish
from meshkin.scene import compat, files
from meshkin.worker import client

WORKER = os.environ["MESHKIN_WORKER_PYTHON"]
"""A Python without bpy."""
GEOMETRIC = ("--features", "geometric")
Ran = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """MeshKin's folders for this module: nothing of the user's is read or written."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHKIN_HOME", str(folder))
        for name in ("MESHKIN_CACHE", "MESHKIN_MODELS", "MESHKIN_BLENDER"):
            patch.delenv(name, raising=False)
        patch.setenv("PYTHONPATH", str(Path(meshkin.__file__).parents[1]))
        client.stop()
        yield folder
        client.stop()


def run(*arguments: str | Path, python: str = sys.executable, **variables: str) -> Ran:
    """Run ``meshkin`` with these arguments, and with these environment variables besides."""
    command = [python, "-m", "meshkin", *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", timeout=300, check=False)


def answer(ran: Ran) -> dict[str, Any]:
    """The one JSON object on standard output."""
    assert ran.stdout.count("\n") == 1, ran.stderr
    data: dict[str, Any] = json.loads(ran.stdout)
    return data


def refused(ran: Ran, exit_code: int, code: str) -> dict[str, str]:
    """The error that a command with --json ended with, told to programs and to people."""
    assert ran.returncode == exit_code, ran.stderr
    data = answer(ran)
    assert data["ok"] is False
    error: dict[str, str] = data["error"]
    assert error["code"] == code
    assert error["message"] in ran.stderr
    assert error["fix"] in ran.stderr
    assert "Traceback" not in ran.stderr
    return error


def blob(stretch: float = 1.0, subdivisions: int = 3) -> tuple[NDArray[np.float64], list[list[int]]]:
    """Vertices and faces of a lopsided blob with no symmetry."""
    bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=subdivisions)
    mesh = bpy.context.object.data
    x, y, z = np.array([vertex.co for vertex in mesh.vertices], np.float64).T
    faces = [list(polygon.vertices) for polygon in mesh.polygons]
    bpy.data.objects.remove(bpy.context.object)
    bumps = 1 + 0.9 * np.exp(-4 * ((x - 1) ** 2 + y**2 + z**2)) + 0.6 * np.exp(-6 * (x**2 + (y - 1) ** 2 + z**2))
    bumps += 0.4 * np.exp(-8 * ((x + 0.6) ** 2 + (y + 0.3) ** 2 + (z - 0.7) ** 2))
    return np.stack((x * bumps * stretch, y * bumps, z * bumps), axis=1), faces


def shuffled(vertices: NDArray[np.float64], faces: list[list[int]]) -> tuple[NDArray[np.float64], list[list[int]]]:
    """The same surface with its vertices in another order."""
    order = np.random.default_rng(0).permutation(len(vertices))
    return vertices[order], np.argsort(order)[np.array(faces)].tolist()


def write(path: Path, vertices: NDArray[np.float64], faces: list[list[int]]) -> Path:
    """Write an .off, .obj or .ply file as text."""
    points = [" ".join(f"{value:.6f}" for value in row) for row in vertices.tolist()]
    polygons = [f"{len(face)} {' '.join(map(str, face))}" for face in faces]
    if path.suffix == ".off":
        lines = ["OFF", f"{len(points)} {len(faces)} 0", *points, *polygons]
    elif path.suffix == ".obj":
        lines = [f"v {point}" for point in points] + ["f " + " ".join(str(i + 1) for i in face) for face in faces]
    else:
        lines = ["ply", "format ascii 1.0", f"element vertex {len(points)}"]
        lines += [f"property float {axis}" for axis in "xyz"]
        lines += [f"element face {len(faces)}", "property list uchar int vertex_indices", "end_header"]
        lines += points + polygons
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path


def add(name: str, vertices: NDArray[np.float64], faces: list[list[int]]) -> bpy.types.Object:
    """An object of the open file."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], faces)
    obj = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def check_map(path: Path, source: int, target: int) -> dict[str, NDArray[Any]]:
    """Check a MAP.npz between surfaces with so many vertices; its arrays."""
    with np.load(path, allow_pickle=False) as data:
        found = {name: data[name] for name in data.files}
    fields = {"face": (np.int32, ()), "barycentric": (np.float32, (3,)), "vertex": (np.int32, ())}
    fields["confidence"] = (np.float32, ())
    expected = {prefix + name for prefix in ("", "inverse_") for name in fields}
    assert set(found) == expected | {"source_faces", "target_faces", "notes"}
    ends = {"source": source, "target": target}
    for name, count in ends.items():
        faces = found[f"{name}_faces"]
        assert (faces.dtype, faces.shape[1:]) == (np.int32, (3,))
        assert set(faces.ravel().tolist()) == set(range(count))
    for prefix, domain, reached in (("", "target", "source"), ("inverse_", "source", "target")):
        for name, (kind, shape) in fields.items():
            array = found[prefix + name]
            assert (array.dtype, array.shape) == (kind, (ends[domain], *shape))
        assert 0 <= found[f"{prefix}face"].min() <= found[f"{prefix}face"].max() < len(found[f"{reached}_faces"])
        assert found[f"{prefix}barycentric"].min() >= 0
        np.testing.assert_allclose(found[f"{prefix}barycentric"].sum(1), 1, atol=1e-5)
        corners = found[f"{reached}_faces"][found[f"{prefix}face"]]
        heaviest = np.take_along_axis(corners, found[f"{prefix}barycentric"].argmax(1)[:, None], 1)[:, 0]
        assert (found[f"{prefix}vertex"] == corners.T).any(0).all()
        assert (found[f"{prefix}vertex"] == heaviest).mean() > 0.8  # the nearest one, but for slender triangles
        assert 0 <= found[f"{prefix}confidence"].min() <= found[f"{prefix}confidence"].max() <= 1
    return found


def distances(
    found: dict[str, NDArray[Any]], source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How far each target vertex's kin lies from the place it has on the same surface."""
    corners = source[found["source_faces"][found["face"]]]
    return np.linalg.norm(np.einsum("vk,vkc->vc", found["barycentric"], corners) - target, axis=1)


def test_match_keeps_the_files_order_and_equals_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    surface = blob()
    other = shuffled(*surface)
    source, target = write(tmp_path / "one.obj", *surface), write(tmp_path / "two.ply", *other)
    ran = run("match", source, target, *GEOMETRIC, "--output", tmp_path / "new" / "map.npz", "--json")
    assert ran.returncode == 0, ran.stderr
    data = answer(ran)
    assert (data["ok"], data["output"]) == (True, str(tmp_path / "new" / "map.npz"))
    assert "Measuring the surface" in ran.stderr
    found = check_map(tmp_path / "new" / "map.npz", len(surface[0]), len(other[0]))
    np.testing.assert_array_equal(np.sort(found["target_faces"]), np.sort(other[1]))
    apart = distances(found, surface[0], other[0])
    assert np.median(apart) < 0.05
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["map.npz"]

    monkeypatch.setenv("MESHKIN_CACHE", str(tmp_path / "cache"))  # so that it is computed, not found
    client.stop()
    report = finish(workflow.match(files.load(source), files.load(target), workflow.Options(features="geometric")))
    client.stop()
    assert Path(report.data["map"]).is_relative_to(tmp_path / "cache")
    with np.load(report.data["map"], allow_pickle=False) as library:
        for name, array in found.items():
            np.testing.assert_array_equal(library[name], array)


def test_match_with_an_object_of_a_blend_file(tmp_path: Path) -> None:
    surface, other = blob(subdivisions=2), blob(1.2, subdivisions=3)
    add("Ядро:🦊", *other)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two.blend"))
    source = write(tmp_path / "one.off", *surface)
    ran = run(
        *("match", source, f"{tmp_path / 'two.blend'}:Ядро:🦊", *GEOMETRIC, "--output", tmp_path / "map.npz"),
        PYTHONIOENCODING="ascii",
    )
    assert ran.returncode == 0, ran.stderr
    assert f"Written to {tmp_path / 'map.npz'}." in ran.stdout.splitlines()
    check_map(tmp_path / "map.npz", len(surface[0]), len(other[0]))


def test_a_set_of_files(tmp_path: Path) -> None:
    """Every two of them have a map, and all go through the first."""
    stretches = (1.0, 1.2, 0.9)
    surfaces = [blob(stretch, 2) for stretch in stretches]
    paths = [write(tmp_path / f"m{index}.off", *surface) for index, surface in enumerate(surfaces)]
    ran = run("match-set", *paths, *GEOMETRIC, "--output", tmp_path / "maps", "--json")
    assert ran.returncode == 0, ran.stderr
    names = ["m0-m1.npz", "m0-m2.npz", "m1-m2.npz"]
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == names
    assert answer(ran)["maps"][str(tmp_path / "maps" / names[2])] == [str(paths[1]), str(paths[2])]
    count = len(surfaces[0][0])
    for name in names:
        with np.load(tmp_path / "maps" / name) as found:
            assert found["face"].shape == found["inverse_face"].shape == (count,)
    (tmp_path / "file").write_text("in the way")
    refused(run("match-set", *paths, "--output", tmp_path / "file" / "maps", "--json"), 6, "file-failed")


@pytest.mark.slow
def test_point_pairs_and_flip_reach_the_matcher(tmp_path: Path) -> None:
    """By vertex numbers in a table, or by coordinates as an .obj file has them."""
    surface = blob(subdivisions=2)
    one, two = write(tmp_path / "a.obj", *surface), write(tmp_path / "b.off", *blob(1.2, 2))
    x, y, z = surface[0][5].tolist()
    (tmp_path / "pairs.csv").write_text("source,target\n5,5\n40,40\n")
    (tmp_path / "pairs.json").write_text(json.dumps({"source": [[x, y, z], 40], "target": [5, 40]}))
    maps = []
    for more in ([], ["--flip"], ["--pairs", tmp_path / "pairs.csv"], ["--pairs", tmp_path / "pairs.json"]):
        ran = run("match", one, two, *GEOMETRIC, *more, "--output", tmp_path / "m.npz", "--json")
        assert ran.returncode == 0, ran.stderr
        data = answer(ran)
        assert data["pairs"] == ([[5, 5], [40, 40]] if "--pairs" in more else [])
        assert data["flip"] == ("--flip" in more)
        maps.append(data["map"])
    assert maps[2] == maps[3]
    assert len(set(maps)) == 3


@pytest.mark.slow
def test_transfer_through_an_object_of_a_set(tmp_path: Path) -> None:
    for name, stretch in (("middle", 1.0), ("one", 1.2), ("two", 0.9)):
        add(name, *blob(stretch, 2)).data.attributes.new("warmth", "FLOAT", "POINT")
    bpy.data.objects["two"].data.attributes.remove(bpy.data.objects["two"].data.attributes["warmth"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "in.blend"))
    command = ("transfer", tmp_path / "in.blend", "--source", "one", "--target", "two", "--what", "attributes")
    ran = run(*command, "--through", "middle", *GEOMETRIC, "--output", tmp_path / "out.blend", "--json")
    assert ran.returncode == 0, ran.stderr
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    assert "warmth" in bpy.data.objects["two"].data.attributes
    ran = run(*command, "--through", "nobody", *GEOMETRIC, "--output", tmp_path / "out.blend", "--json")
    refused(ran, 3, "object-unknown")


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("pairs.json", '{"source": [1, 2], "target": [3]}', "pairs-count"),
        ("pairs.json", "[[1, NaN]]", "pairs-invalid"),
        ("pairs.csv", "0,999999\n", "pair-no-vertex"),
        ("pairs.csv", "0,0,0,500,0,0\n", "pair-off-surface"),
        ("missing.csv", None, "file-missing"),
    ],
)
def test_point_pairs_that_cannot_be_used(tmp_path: Path, name: str, text: str | None, code: str) -> None:
    one, two = (write(tmp_path / f"{letter}.off", *blob(stretch, 2)) for letter, stretch in (("a", 1), ("b", 1.2)))
    if text is not None:
        (tmp_path / name).write_text(text)
    ran = run("match", one, two, *GEOMETRIC, "--pairs", tmp_path / name, "--output", tmp_path / "m.npz", "--json")
    refused(ran, 3, code)
    assert not (tmp_path / "m.npz").exists()


def test_features_of_a_mesh_file(tmp_path: Path) -> None:
    surface = blob(subdivisions=2)
    output = tmp_path / "f.safetensors"
    ran = run("features", write(tmp_path / "one.off", *surface), *GEOMETRIC, "--output", output)
    assert ran.returncode == 0, ran.stderr
    assert f"Written to {output}." in ran.stdout.splitlines()
    assert "Measuring the surface" not in ran.stdout
    code = (
        "import json, sys; from safetensors.numpy import load_file; found = load_file(sys.argv[1]);"
        "print(json.dumps({name: [str(a.dtype), a.shape, bool((a == a).all())] for name, a in found.items()}))"
    )
    told = subprocess.run([WORKER, "-c", code, str(output)], capture_output=True, check=True, text=True)
    arrays = json.loads(told.stdout)
    count = len(surface[0])
    assert arrays["features"][1][0] == count
    assert arrays["features"][1][1] > 16
    assert arrays["features"][2]
    assert arrays["seen"] == ["int16", [count], True]
    assert arrays["confidence"] == ["float32", [count], True]


def dressed(path: Path) -> None:
    """Write a .blend file with a textured, weighted, painted source and a bare target with UVs."""
    source, target = add("source", *blob()), add("target", *blob(1.2))
    for obj in (source, target):
        heights = np.array([vertex.co.z for vertex in obj.data.vertices])
        layer = obj.data.uv_layers.new(name="map")
        for loop, uv in zip(obj.data.loops, layer.data, strict=True):
            x, y, z = obj.data.vertices[loop.vertex_index].co
            uv.uv = (0.5 + 0.2 * x / (1 + abs(z)), 0.5 + 0.2 * y / (1 + abs(z)))
    heights = np.array([vertex.co.z for vertex in source.data.vertices])
    share = (heights - heights.min()) / np.ptp(heights)
    for name, values in (("upper", share), ("lower", 1 - share)):
        group = source.vertex_groups.new(name=name)
        for index, value in enumerate(values.tolist()):
            group.add((index,), value, "REPLACE")
    source.data.attributes.new("height", "FLOAT", "POINT").data.foreach_set("value", share.astype(np.float32))
    image = bpy.data.images.new("skin", 32, 32)
    image.generated_color = (0.8, 0.2, 0.1, 1)
    image.pack()
    material = bpy.data.materials.new("skin")
    tree = compat.node_tree(material)
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    shader = next(one for one in tree.nodes if one.type == "BSDF_PRINCIPLED")
    tree.links.new(shader.inputs["Base Color"], node.outputs["Color"])
    source.data.materials.append(material)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def test_transfer_saves_another_file(tmp_path: Path) -> None:
    before, after = tmp_path / "in.blend", tmp_path / "out.blend"
    dressed(before)
    content = before.read_bytes()
    ran = run(
        *("transfer", before, "--source", "source", "--target", "target", "--what", "texture, weights,attributes"),
        *(*GEOMETRIC, "--texture-size", "64", "--output", after, "--json"),
    )
    assert ran.returncode == 0, ran.stderr
    assert answer(ran)["written"] == ["texture", "weights", "attributes"]
    assert before.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.blend", "out.blend"]
    bpy.ops.wm.open_mainfile(filepath=str(after))
    target = bpy.data.objects["target"]
    assert [group.name for group in target.vertex_groups] == ["upper", "lower"]
    sums = [sum(one.weight for one in vertex.groups) for vertex in target.data.vertices]
    np.testing.assert_allclose(sums, 1, atol=1e-5)
    heights = np.empty(len(target.data.vertices), np.float32)
    target.data.attributes["height"].data.foreach_get("value", heights)
    assert 0 <= heights.min() < 0.3
    assert 0.7 < heights.max() <= 1
    nodes = compat.node_tree(target.data.materials[0]).nodes
    image = next(node.image for node in nodes if node.type == "TEX_IMAGE")
    assert tuple(image.size) == (64, 64)
    assert image.packed_file
    pixels = np.empty((64, 64, 4), np.float32)
    image.pixels.foreach_get(pixels.ravel())
    np.testing.assert_allclose(pixels[32, 32], (0.8, 0.2, 0.1, 1), atol=0.01)


def rigged(path: Path) -> None:
    """Write a .blend file: “old” is posed by the moving armature “rig”, “new” by “other”, “bare” has groups alone."""
    for name in ("old", "new", "bare"):
        obj = add(name, *blob(subdivisions=2))
        heights = np.array([vertex.co.z for vertex in obj.data.vertices])
        for group, chosen in (("low", heights < 0), ("high", heights >= 0), ("extra", heights > 9)):
            obj.vertex_groups.new(name=group).add(np.flatnonzero(chosen).tolist(), 1, "REPLACE")
    for name, posed in (("rig", "old"), ("other", "new")):
        armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
        bpy.context.scene.collection.objects.link(armature)
        bpy.context.view_layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        for bone, height in (("low", -1), ("high", 0)):
            made = armature.data.edit_bones.new(bone)
            made.head, made.tail = (0, 0, height), (0, 0, height + 1)
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.data.objects[posed].modifiers.new("Armature", "ARMATURE").object = armature
    bone = bpy.data.objects["rig"].pose.bones["high"]
    bone.rotation_mode = "XYZ"
    for frame, angle in ((1, 0.0), (10, 1.0)):
        bone.rotation_euler = (angle, 0, 0)
        bone.keyframe_insert("rotation_euler", frame=frame)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def test_motion_and_an_armature_from_groups(tmp_path: Path) -> None:
    """The same as the buttons: an action for the other armature; bones from groups whose names fit."""
    rigged(tmp_path / "in.blend")
    moved, built = tmp_path / "moved.blend", tmp_path / "built.blend"
    ran = run("motion", tmp_path / "in.blend", "--source", "old", "--target", "other", "--output", moved, "--json")
    assert ran.returncode == 0, ran.stderr
    action = answer(ran)["action"]
    bpy.ops.wm.open_mainfile(filepath=str(moved))
    other = bpy.data.objects["other"]
    assert other.animation_data.action.name == action
    bpy.context.scene.frame_set(10)
    turned = other.pose.bones["high"].matrix.to_quaternion()
    assert turned.rotation_difference(bpy.data.objects["rig"].pose.bones["high"].matrix.to_quaternion()).angle < 1e-3
    assert other.pose.bones["high"].rotation_quaternion.angle == pytest.approx(1, abs=1e-3)
    ran = run("motion", moved, "--source", "bare", "--target", "new", "--output", built, "--json")
    refused(ran, 3, "no-armature")
    command = ("build-armature", tmp_path / "in.blend", "--target", "bare", "--pattern", "low high", "--output", built)
    ran = run(*command, "--json")
    assert ran.returncode == 0, ran.stderr
    bpy.ops.wm.open_mainfile(filepath=str(built))
    made = bpy.data.objects[answer(ran)["armature"]]
    assert sorted(bone.name for bone in made.data.bones) == ["high", "low"]
    assert bpy.data.objects["bare"].modifiers["Armature"].object == made
    refused(run(*command[:4], "--pattern", "none", "--output", built, "--json"), 3, "no-groups")


def test_pose(tmp_path: Path) -> None:
    """The posed frame of the file comes over as a shape key."""
    rigged(tmp_path / "in.blend")
    bpy.context.scene.frame_set(10)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "in.blend"))
    command = ("pose", tmp_path / "in.blend", "--source", "old", *GEOMETRIC)
    ran = run(*command, "--target", "bare", "--output", tmp_path / "out.blend", "--json")
    assert ran.returncode == 0, ran.stderr
    told = answer(ran)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    keys = bpy.data.objects["bare"].data.shape_keys.key_blocks
    assert keys[-1].name == told["shape_key"] == "Pose of old"
    moved = [(one.co - two.co).length for one, two in zip(keys[-1].data, keys[0].data, strict=True)]
    assert max(moved) > 0.1
    refused(run(*command, "--target", "nobody", "--output", tmp_path / "out.blend", "--json"), 3, "object-unknown")


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one.off and two.blend (of one object, “body”)."""
    folder = tmp_path_factory.mktemp("meshes")
    surface = blob(subdivisions=2)
    write(folder / "one.off", *surface)
    obj = add("body", *surface)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "two.blend"))
    bpy.data.objects.remove(obj)
    return folder


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "said"),
    [
        (["none.off", *GEOMETRIC], 3, "file-missing", "none.off"),
        (["two.blend:nobody", *GEOMETRIC], 3, "object-unknown", "“body”"),
        (["one.off", "--features", "magic"], 3, "features-unknown", "magic"),
        (["one.off", *GEOMETRIC, "--rings", "round"], 3, "option-invalid", "--rings"),
        (["one.off", "--features", "dinov2"], 4, "model-missing", "meshkin models get"),
    ],
)
def test_what_cannot_be_done_is_said(
    meshes: Path, tmp_path: Path, arguments: Sequence[str], exit_code: int, code: str, said: str
) -> None:
    mesh, *options = arguments
    ran = run("features", meshes / mesh, *options, "--output", tmp_path / "f.safetensors", "--json")
    assert said in ran.stderr
    refused(ran, exit_code, code)
    assert not list(tmp_path.iterdir())


def test_transfer_names_the_objects_there_are(meshes: Path, tmp_path: Path) -> None:
    command = ("transfer", meshes / "two.blend", "--source", "body", "--target", "soul")
    error = refused(run(*command, *GEOMETRIC, "--output", tmp_path / "out.blend", "--json"), 3, "object-unknown")
    assert "“body”" in error["fix"]
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_refused_before_the_work(meshes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for output, named in ((tmp_path / "file" / "map.npz", tmp_path / "file"), (tmp_path, tmp_path)):
        ran = run("match", meshes / "one.off", meshes / "one.off", *GEOMETRIC, "--output", output, "--json")
        assert str(named) in refused(ran, 6, "file-failed")["message"]
        assert len(ran.stderr.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "in the way"


def test_without_a_worker(meshes: Path, tmp_path: Path) -> None:
    nowhere = {"MESHKIN_WORKER_PYTHON": str(tmp_path / "nowhere" / "python")}
    ran = run("features", meshes / "one.off", *GEOMETRIC, "--output", tmp_path / "f", "--json", **nowhere)
    assert nowhere["MESHKIN_WORKER_PYTHON"] in refused(ran, 5, "worker-missing")["message"]
    ran = run("doctor", "--json", **nowhere)
    assert ran.returncode == 1
    data = answer(ran)
    assert data["ok"] is False
    (worker,) = (check for check in data["checks"] if check["name"] == "worker")
    assert not worker["ok"]
    assert nowhere["MESHKIN_WORKER_PYTHON"] in worker["found"]
    assert "Unset MESHKIN_WORKER_PYTHON" in worker["fix"]
    told = run("doctor", python=WORKER, **nowhere).stdout.splitlines()
    place = next(index for index, line in enumerate(told) if line.startswith("MISSING worker: "))
    assert told[place + 1].strip() == f"mend it: {worker['fix']}"


def test_doctor(home: Path) -> None:
    ran = run("doctor", "--json")
    assert ran.returncode == 0, ran.stderr
    data = answer(ran)
    checks = {check["name"]: check for check in data["checks"]}
    assert data["ok"]
    assert bpy.app.version_string in checks["Blender"]["found"]
    assert WORKER in checks["worker"]["found"]
    assert str(home / "cache") in checks["cache"]["found"]
    assert {"memory", "device cpu", "library torch", "library scipy"} <= set(checks)
    missing = [check for check in data["checks"] if not check["ok"]]
    assert missing
    for check in missing:  # the models: the geometric features serve without
        assert check["name"].startswith("model ")
        assert check["fix"] in ("meshkin models get embedded", "meshkin models get diff3f")


def test_a_python_without_bpy_needs_a_blender(meshes: Path, tmp_path: Path) -> None:
    nowhere = {"MESHKIN_BLENDER": str(tmp_path / "nowhere" / "blender")}
    command = ("match", meshes / "one.off", meshes / "two.blend:body", *GEOMETRIC, "--output", tmp_path / "map.npz")
    error = refused(run(*command, "--json", python=WORKER, **nowhere), 5, "blender-missing")
    assert "MESHKIN_BLENDER" in error["fix"]
    ran = run("doctor", python=WORKER, **nowhere)
    assert ran.returncode == 1
    lines = ran.stdout.splitlines()
    assert lines[0] == f"MISSING Blender: MESHKIN_BLENDER is {nowhere['MESHKIN_BLENDER']}: no program"
    assert "pip install bpy" in lines[1]
    assert any(line.startswith("ok      worker: ") for line in lines)


def test_a_blender_that_ends_too_early_is_reported(meshes: Path, tmp_path: Path) -> None:
    command = ("match", meshes / "one.off", meshes / "one.off", *GEOMETRIC, "--output", tmp_path / "map.npz", "--json")
    ran = run(*command, python=WORKER, MESHKIN_BLENDER="true")  # a program that does nothing
    assert "status 0" in refused(ran, 5, "blender-failed")["message"]


def test_models_and_cache(tmp_path: Path) -> None:
    folders = {"MESHKIN_CACHE": str(tmp_path / "cache")}
    models = answer(run("models", "list", "--json", python=WORKER, **folders))["models"]
    assert models
    text = run("models", "list", python=WORKER, **folders).stdout
    for model in models:
        assert model["present"] is False
        assert f"{model['name']}: {model['licence']}, not fetched" in text.splitlines()
    (tmp_path / "cache" / "maps").mkdir(parents=True)
    (tmp_path / "cache" / "maps" / "old.npz").write_bytes(bytes(1000))
    info = answer(run("cache", "info", "--json", python=WORKER, **folders))
    assert (info["folder"], info["files"], info["bytes"]) == (folders["MESHKIN_CACHE"], 1, 1000)
    cleared = run("cache", "clear", python=WORKER, **folders)
    assert (cleared.returncode, folders["MESHKIN_CACHE"] in cleared.stdout) == (0, True)
    assert answer(run("cache", "info", "--json", python=WORKER, **folders))["files"] == 0
    refused(run("models", "get", "no such model", "--json", python=WORKER, **folders), 4, "model-missing")


def test_usage() -> None:
    assert run("--version", python=WORKER).stdout == f"meshkin {meshkin.__version__}\n"
    ran = run("match", "--json", python=WORKER)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "--output" in ran.stderr


def children(pid: int) -> set[int]:
    """The processes that a process has started."""
    listed = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, check=True, text=True).stdout
    pairs = [line.split() for line in listed.splitlines()]
    return {int(child) for parent, child in pairs if int(parent) == pid}


def running(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_the_job_and_its_worker(tmp_path: Path) -> None:
    mesh = write(tmp_path / "big.off", *blob(subdivisions=6))
    command = [sys.executable, "-m", "meshkin", "match", mesh, mesh, *GEOMETRIC, "--json", "--output"]
    process = subprocess.Popen(
        [*map(str, command), str(tmp_path / "map.npz")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    while not (line := process.stderr.readline()).startswith("Measuring the surface"):
        assert line, "it ended before it was interrupted"
    workers = children(process.pid)
    assert len(workers) == 1
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(output)["error"]["code"] == "cancelled"
    assert "Traceback" not in said
    assert not (tmp_path / "map.npz").exists()
    deadline = time.monotonic() + 10
    while any(map(running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(running, workers))


def test_a_terminal_gets_a_bar(home: Path) -> None:
    ours, theirs = os.openpty()
    command = [WORKER, "-m", "meshkin", "cache", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, encoding="utf-8") as process:
        os.close(theirs)
        shown = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other end was closed
                break
        output = process.communicate()[0]
    os.close(ours)
    assert process.returncode == 0
    assert b"\r\033[KStarting the worker [......" in shown
    assert shown.endswith(b"\r\033[K")
    assert output.startswith(str(home / "cache"))
