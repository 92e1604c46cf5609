"""Mesh files: every format, vertices in the file's order, upright; files that cannot be used."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import bpy
import numpy as np
import pytest

from helpers.empty_file import open_empty_file
from helpers.places import DATA
from helpers.rigged import new_armature
from meshkin.base.errors import InputError
from meshkin.scene import files
from meshkin.scene.mesh import pairs
from meshkin.scene.mesh import snapshot as snapshots


def shape(count: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Shuffled vertices that tell each other apart, and triangles that use each of them, in no order."""
    random = np.random.default_rng(seed)
    vertices = random.integers(-1000, 1000, (count, 3)) / 8
    order = random.permutation(count)
    triangles = np.stack((order, np.roll(order, 1), np.roll(order, 2)), axis=1)
    return vertices, triangles[random.permutation(count)]


def turned(vertices: np.ndarray) -> np.ndarray:
    """Y up to Z up: (x, y, z) becomes (x, -z, y)."""
    return np.stack((vertices[:, 0], -vertices[:, 2], vertices[:, 1]), axis=1)


def loaded(path: Path | str) -> np.ndarray:
    """World positions of the vertices of the loaded object, relative to its origin, in order."""
    obj = files.load(path)
    snapshot = snapshots.take(obj)
    np.testing.assert_array_equal(snapshot.original, np.arange(len(obj.data.vertices)))
    return snapshot.vertices.astype(np.float64) + snapshot.location


def write_obj(path: Path, meshes: list[tuple[np.ndarray, np.ndarray]]) -> None:
    lines, base = [], 1
    for index, (vertices, faces) in enumerate(meshes):
        lines += [f"o {'zyxabc'[index]}", *(f"v {x} {y} {z}" for x, y, z in vertices)]
        lines += [f"f {a} {b} {c}" for a, b, c in faces + base]
        base += len(vertices)
    path.write_text("\n".join(lines))


def write_ply(path: Path, vertices: np.ndarray, faces: np.ndarray, binary: bool) -> None:
    kind = "binary_little_endian" if binary else "ascii"
    header = f"ply\nformat {kind} 1.0\nelement vertex {len(vertices)}\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    if binary:
        rows = np.zeros(len(faces), [("n", "u1"), ("i", "<i4", 3)])
        rows["n"], rows["i"] = 3, faces
        body = vertices.astype("<f4").tobytes() + rows.tobytes()
    else:
        lines = [" ".join(map(str, row)) for row in vertices] + ["3 " + " ".join(map(str, row)) for row in faces]
        body = "\n".join(lines).encode() + b"\n"
    path.write_bytes(header.encode() + body)


def write_stl(path: Path, corners: np.ndarray, binary: bool) -> None:
    if binary:
        rows = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("extra", "<u2")])
        rows["corners"] = corners
        path.write_bytes(b" " * 80 + struct.pack("<I", len(corners)) + rows.tobytes())
    else:
        facets = ["".join(f"vertex {x} {y} {z}\n" for x, y, z in triangle) for triangle in corners]
        text = "".join(f"facet normal 0 0 0\nouter loop\n{facet}endloop\nendfacet\n" for facet in facets)
        path.write_text(f"solid test\n{text}endsolid test\n")


def write_glb(path: Path, meshes: list[list[tuple[np.ndarray, np.ndarray]]], offsets: list[list[float]]) -> None:
    """A node for each mesh, a primitive for each (vertices, triangles) in it; .gltf keeps its data beside it."""
    data, views, accessors = b"", [], []
    document: dict[str, object] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [*range(len(meshes))]}],
    }
    document["nodes"] = [
        {"mesh": index, "name": "zyxabc"[index], "translation": offset} for index, offset in enumerate(offsets)
    ]

    def accessor(values: np.ndarray, kind: str, component: int) -> int:
        nonlocal data
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": values.nbytes})
        data += values.tobytes()
        accessors.append({"bufferView": len(views) - 1, "componentType": component, "count": len(values), "type": kind})
        if kind == "VEC3":
            accessors[-1] |= {"min": values.min(axis=0).tolist(), "max": values.max(axis=0).tolist()}
        return len(accessors) - 1

    document["meshes"] = [
        {
            "primitives": [
                {
                    "attributes": {"POSITION": accessor(vertices.astype("<f4"), "VEC3", 5126)},
                    "indices": accessor(faces.astype("<u4").ravel(), "SCALAR", 5125),
                }
                for vertices, faces in mesh
            ]
        }
        for mesh in meshes
    ]
    document |= {"accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": len(data)}]}
    if path.suffix == ".gltf":
        document["buffers"] = [{"byteLength": len(data), "uri": "data.bin"}]
        (path.parent / "data.bin").write_bytes(data)
        path.write_text(json.dumps(document))
        return
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<IIIII", 0x46546C67, 2, 28 + len(text) + len(data), len(text), 0x4E4F534A)
    path.write_bytes(head + text + struct.pack("<II", len(data), 0x004E4942) + data)


def write_usda(path: Path, meshes: list[tuple[np.ndarray, np.ndarray]], up: str) -> None:
    parts = []
    for index, (vertices, faces) in enumerate(meshes):
        points = ", ".join(f"({x}, {y}, {z})" for x, y, z in vertices)
        parts.append(
            f'def Mesh "{"zyxabc"[index]}" {{\n int[] faceVertexCounts = {[3] * len(faces)}\n'
            f" int[] faceVertexIndices = {faces.ravel().tolist()}\n point3f[] points = [{points}]\n}}\n"
        )
    path.write_text(f'#usda 1.0\n(\n upAxis = "{up}"\n metersPerUnit = 1\n)\ndef Xform "top" {{\n{"".join(parts)}}}\n')


def test_obj(tmp_path: Path) -> None:
    vertices, faces = shape()
    write_obj(tmp_path / "Kätzchen.obj", [(vertices, faces)])
    np.testing.assert_allclose(loaded(tmp_path / "Kätzchen.obj"), turned(vertices), atol=1e-4)


def test_obj_with_several_objects(tmp_path: Path) -> None:
    meshes = [shape(seed=seed) for seed in range(3)]
    write_obj(tmp_path / "several.obj", meshes)
    np.testing.assert_allclose(
        loaded(tmp_path / "several.obj"), turned(np.vstack([vertices for vertices, _ in meshes])), atol=1e-4
    )


def test_obj_with_unused_vertices(tmp_path: Path) -> None:
    """Vertices that no face uses keep their place, among relative indices, quads, lines and texture corners."""
    vertices, _ = shape(12)
    lines = [f"v {x} {y} {z}" for x, y, z in vertices[:8]]
    lines += ["vt 0 0", "vt 1 0", "vt 0 1", "vt 1 1", "f 2/1 4/2 5/3 8/4", "f -1/2 -3/1 \\", "-7/3"]
    lines += [*(f"v {x} {y} {z}" for x, y, z in vertices[8:]), "l 10 12", "f 1//  2// 11//".replace("//", "")]
    (tmp_path / "unused.obj").write_text("\n".join(lines))
    obj = files.load(tmp_path / "unused.obj")
    snapshot = snapshots.take(obj)
    np.testing.assert_allclose(snapshot.vertices, turned(vertices), atol=1e-4)
    polygons = [tuple(polygon.vertices) for polygon in obj.data.polygons]
    assert {frozenset(polygon) for polygon in polygons} == {
        frozenset((1, 3, 4, 7)),
        frozenset((7, 5, 1)),
        frozenset((0, 1, 10)),
    }
    edges = {frozenset(edge.vertices) for edge in obj.data.edges}
    assert frozenset((9, 11)) in edges
    assert not obj.data.validate()


@pytest.mark.parametrize("binary", [False, True])
def test_ply(binary: bool, tmp_path: Path) -> None:
    vertices, faces = shape()
    vertices = np.vstack(([(7, 8, 9)], vertices))
    write_ply(tmp_path / "mesh.ply", vertices, faces + 1, binary)
    np.testing.assert_allclose(loaded(tmp_path / "mesh.ply"), vertices, atol=1e-4)


@pytest.mark.parametrize("binary", [False, True])
def test_stl(binary: bool, tmp_path: Path) -> None:
    vertices, faces = shape()
    write_stl(tmp_path / "mesh.STL", vertices[faces], binary)
    first = np.unique(faces.ravel(), return_index=True)[1]
    expected = vertices[faces.ravel()[np.sort(first)]]
    np.testing.assert_allclose(loaded(tmp_path / "mesh.STL"), expected, atol=1e-4)


@pytest.mark.parametrize("header", ["OFF\n", "OFF ", "# made by hand\nCOFF\n# and so on\n"])
def test_off(header: str, tmp_path: Path) -> None:
    vertices, faces = shape()
    colors = " 1 0 0 1" if "COFF" in header else ""
    lines = [f"{x} {y} {z}{colors}" for x, y, z in vertices] + [f"3 {a} {b} {c}" for a, b, c in faces]
    lines[-1] = "4 0 1 2 3 255 0 0"
    (tmp_path / "mesh.off").write_text(f"{header}{len(vertices)} {len(faces)} 0\n" + "\n\n".join(lines))
    np.testing.assert_allclose(loaded(tmp_path / "mesh.off"), vertices, atol=1e-4)
    polygons = bpy.data.objects["mesh"].data.polygons
    np.testing.assert_array_equal([tuple(polygon.vertices) for polygon in list(polygons)[:-1]], faces[:-1])
    assert tuple(polygons[len(faces) - 1].vertices) == (0, 1, 2, 3)


def test_off_with_faces_that_blender_cannot_hold(tmp_path: Path) -> None:
    text = "OFF 5 4 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 1 0\n3 0 1 2\n3 1 1 2\n2 0 1\n3 0 1 3\n"
    (tmp_path / "odd.off").write_text(text)
    obj = files.load(tmp_path / "odd.off")
    assert len(obj.data.vertices) == 5
    assert tuple(obj.data.polygons[0].vertices) == (0, 1, 2)
    assert not obj.data.validate()


@pytest.mark.parametrize("ending", ["glb", "gltf"])
def test_gltf(ending: str, tmp_path: Path) -> None:
    """Primitives and nodes in order, coinciding vertices kept apart, nodes where they belong."""
    parts = [shape(seed=seed) for seed in range(4)]
    parts[1] = (parts[0][0].copy(), parts[1][1])
    write_glb(tmp_path / f"mesh.{ending}", [parts[:2], parts[2:3], parts[3:]], [[0, 0, 0], [0, 8, 0], [1, 2, 3]])
    positions = [parts[0][0], parts[1][0], parts[2][0] + (0, 8, 0), parts[3][0] + (1, 2, 3)]
    np.testing.assert_allclose(loaded(tmp_path / f"mesh.{ending}"), turned(np.vstack(positions)), atol=1e-4)
    assert [obj.name for obj in bpy.data.objects] == ["mesh"]


@pytest.mark.parametrize("up", ["Y", "Z"])
def test_usd(up: str, tmp_path: Path) -> None:
    meshes = [shape(seed=seed) for seed in range(3)]
    write_usda(tmp_path / "mesh.usda", meshes, up)
    vertices = np.vstack([vertices for vertices, _ in reversed(meshes)])  # by name: x, y, z
    expected = turned(vertices) if up == "Y" else vertices
    np.testing.assert_allclose(loaded(tmp_path / "mesh.usda"), expected, atol=1e-4)


def exported(count: int) -> tuple[np.ndarray, list[bpy.types.Object]]:
    """Vertices in the world, and objects with these vertices, made in another order than their names sort."""
    objects, positions = [], []
    for index in range(count):
        vertices, faces = shape(seed=index)
        mesh = bpy.data.meshes.new("mesh")
        mesh.from_pydata(vertices.tolist(), [], faces.tolist())
        obj = bpy.data.objects.new("abc"[index], mesh)
        obj.location = (index, 2, 3)
        bpy.context.scene.collection.objects.link(obj)
        objects.append(obj)
        positions.append(np.add(vertices, (index, 2, 3)))
    bpy.context.view_layer.update()
    return np.vstack(positions), objects


@pytest.mark.parametrize("count", [1, 3])
def test_fbx(count: int, tmp_path: Path) -> None:
    expected, objects = exported(count)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "mesh.fbx"))
    for obj in objects:
        bpy.data.objects.remove(obj)
    np.testing.assert_allclose(loaded(tmp_path / "mesh.fbx"), expected, atol=1e-3)


@pytest.mark.parametrize("ending", ["usdc", "usdz", "usd"])
def test_binary_usd(ending: str, tmp_path: Path) -> None:
    expected, (obj,) = exported(1)
    bpy.ops.wm.usd_export(filepath=str(tmp_path / f"mesh.{ending}"))
    bpy.data.objects.remove(obj)
    np.testing.assert_allclose(loaded(tmp_path / f"mesh.{ending}"), expected, atol=1e-3)


def test_skinned_glb_with_its_pose(tmp_path: Path) -> None:
    _, (obj,) = exported(1)
    obj.location = (0, 0, 0)
    armature = new_armature("rig", {"bone": ((0, 0, 0), (0, 0, 1), None)})
    obj.vertex_groups.new(name="bone").add(range(len(obj.data.vertices)), 1.0, "REPLACE")
    obj.parent = armature
    obj.modifiers.new("rig", "ARMATURE").object = armature
    bpy.ops.export_scene.gltf(filepath=str(tmp_path / "rigged.glb"))
    for made in (obj, armature):  # reading the factory settings here aborts Blender 4.2 now and then
        bpy.data.objects.remove(made)
    loaded = files.load(tmp_path / "rigged.glb")
    assert loaded.vertex_groups.keys() == ["bone"]
    rest = snapshots.take(loaded)
    rig = next(modifier.object for modifier in loaded.modifiers if modifier.type == "ARMATURE")
    rig.pose.bones["bone"].location.y += 2
    moved = snapshots.take(loaded).vertices - rest.vertices
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), 2, atol=1e-4)


@pytest.mark.parametrize("name", ["Körper", "a.blend:b", "C:\\x"])
def test_object_of_a_blend_file(name: str, tmp_path: Path) -> None:
    expected, (obj,) = exported(1)
    obj.name = name
    obj.modifiers.new("mirror", "MIRROR")
    key = snapshots.take(obj).key
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    open_empty_file()
    loaded = files.load(f"{tmp_path}/file.blend:{name}")
    assert loaded.name == name
    assert snapshots.take(loaded).key == key
    np.testing.assert_allclose([vertex.co[:] for vertex in loaded.data.vertices], expected - (0, 2, 3), atol=1e-4)
    for spec, code in (
        (f"{tmp_path}/file.blend:Nobody", "object-unknown"),
        (tmp_path / "file.blend", "object-unnamed"),
    ):
        with pytest.raises(InputError) as raised:
            files.load(spec)
        assert raised.value.code == code
        assert name in raised.value.fix
    with pytest.raises(InputError) as raised:
        files.load(f"{tmp_path}/other.blend:{name}")
    assert raised.value.code == "file-missing"


def test_two_files_side_by_side(tmp_path: Path) -> None:
    """Loading one file does not change the object of the other."""
    vertices, faces = shape()
    write_ply(tmp_path / "mesh.ply", vertices, faces, False)
    first = files.load(tmp_path / "mesh.ply")
    key = snapshots.take(first).key
    second = files.load(tmp_path / "mesh.ply")
    assert first != second
    assert snapshots.take(first).key == snapshots.take(second).key == key


ENDINGS = ["obj", "ply", "stl", "off", "glb", "gltf", "fbx", "usd", "usda", "usdc", "usdz"]


def test_an_object_of_a_blend_file_brings_its_point_pairs_and_nothing_of_others(tmp_path: Path) -> None:
    objects = {}
    for name in ("source", "target", "other"):
        bpy.ops.mesh.primitive_cube_add()
        objects[name] = bpy.context.object
        objects[name].name = name
    pairs.add(objects["source"], objects["target"], 3, 4)
    pairs.add(objects["source"], objects["other"], 5, 6)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "file.blend"))
    open_empty_file()
    source, target = (files.load(f"{tmp_path}/file.blend:{name}") for name in ("source", "target"))
    assert [pair.label for pair in pairs.between(source, target)] == ["1"]
    shapes = snapshots.take(source), snapshots.take(target)
    np.testing.assert_array_equal(pairs.vertex_pairs(source, target, shapes), [[3, 4]])
    assert sorted(obj.name for obj in bpy.data.objects if obj.type == "MESH") == ["source", "target"]


@pytest.mark.parametrize("ending", [*ENDINGS, "blend"])
def test_files_that_cannot_be_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"broken.{ending}"
    spec = f"{path}:Object" if ending == "blend" else path
    with pytest.raises(InputError) as raised:
        files.load(spec)
    assert raised.value.code == "file-missing"
    for content in (b"", b"nothing of use\n", bytes(range(256)) * 4):
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            files.load(spec)
        assert raised.value.code in ("file-unreadable", "file-no-mesh")
        assert raised.value.fix
        assert not bpy.data.objects


def test_files_cut_short(tmp_path: Path) -> None:
    vertices, faces = shape()
    write_ply(tmp_path / "whole.ply", vertices, faces, True)
    write_glb(tmp_path / "whole.glb", [[(vertices, faces)]], [[0, 0, 0]])
    (tmp_path / "whole.off").write_text("OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    for ending in ("ply", "glb", "off"):
        content = (tmp_path / f"whole.{ending}").read_bytes()
        path = tmp_path / f"cut.{ending}"
        path.write_bytes(content[: len(content) // 2 if ending == "ply" else -6])
        with pytest.raises(InputError) as raised:
            files.load(path)
        assert raised.value.code == "file-unreadable"
        assert not bpy.data.objects


def test_off_with_a_vertex_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "wrong.off").write_text("OFF 3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 3\n")
    with pytest.raises(InputError) as raised:
        files.load(tmp_path / "wrong.off")
    assert raised.value.code == "file-unreadable"
    assert "not there" in raised.value.message


def test_unknown_ending(tmp_path: Path) -> None:
    for name in ("mesh.dae", "mesh"):
        with pytest.raises(InputError) as raised:
            files.load(tmp_path / name)
        assert raised.value.code == "file-unknown"
        assert ".glb" in raised.value.fix


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data in {DATA}")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("characters/mesh2motion/fox-dog.glb", 1688),
        ("correspondence/tosca_isometric/vtx_5k/cat0.off", 5000),
        ("makehuman/base.obj", 19158),
    ],
)
def test_real_files(name: str, count: int) -> None:
    snapshot = snapshots.take(files.load(DATA / name)).check()
    assert len(snapshot.vertices) == count
    assert np.ptp(snapshot.vertices[:, 2]) > 0
