"""Mesh files as no program should write them, and as broken disks and transfers leave them; the same in each run."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

POINTS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0.2), (0.3, 1, 1)]
TRIANGLES = [(0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2), (1, 4, 2), (2, 4, 5)]


@dataclass(frozen=True)
class HostileFile:
    """One file.

    Attributes:
        name: what is wrong with it, and the suffix.
        content: what it holds.
        codes: errors that are right; "" for none. None for any that is a sentence.
    """

    name: str
    content: bytes
    codes: tuple[str, ...] | None = None


def obj(points: Any = POINTS, triangles: Any = TRIANGLES) -> bytes:
    lines = [f"v {' '.join(map(str, point))}" for point in points]
    lines += [f"f {' '.join(str(index + 1) for index in triangle)}" for triangle in triangles]
    return "\n".join(lines).encode() + b"\n"


def off(points: Any = POINTS, triangles: Any = TRIANGLES) -> bytes:
    lines = ["OFF", f"{len(points)} {len(triangles)} 0", *(" ".join(map(str, point)) for point in points)]
    lines += [f"{len(triangle)} {' '.join(map(str, triangle))}" for triangle in triangles]
    return "\n".join(lines).encode() + b"\n"


def ply(points: Any = POINTS, triangles: Any = TRIANGLES, binary: bool = False, faces_first: bool = False) -> bytes:
    order = slice(None, None, -1 if faces_first else 1)
    heads = [f"element vertex {len(points)}\n" + "".join(f"property float {axis}\n" for axis in "xyz")]
    heads.append(f"element face {len(triangles)}\nproperty list uchar int vertex_indices\n")
    if binary:
        bodies = [np.array(points, "<f4").tobytes()]
        bodies.append(b"".join(struct.pack("<B3i", 3, *triangle) for triangle in triangles))
    else:
        bodies = ["".join(f"{' '.join(map(str, point))}\n" for point in points).encode()]
        bodies.append("".join(f"{len(each)} {' '.join(map(str, each))}\n" for each in triangles).encode())
    form = "binary_little_endian" if binary else "ascii"
    header = f"ply\nformat {form} 1.0\n{''.join(heads[order])}end_header\n"
    return header.encode() + b"".join(bodies[order])


def stl(points: Any = POINTS, triangles: Any = TRIANGLES, binary: bool = False) -> bytes:
    corners = [[points[index] for index in triangle] for triangle in triangles]
    if binary:
        body = b"".join(struct.pack("<12fH", 0, 0, 1, *sum(map(tuple, each), ()), 0) for each in corners)
        return bytes(80) + struct.pack("<I", len(corners)) + body
    facets = ""
    for each in corners:
        lines = "".join(f"vertex {' '.join(map(str, point))}\n" for point in each)
        facets += f"facet normal 0 0 1\nouter loop\n{lines}endloop\nendfacet\n"
    return f"solid x\n{facets}endsolid x\n".encode()


def gltf_data(points: Any = POINTS, triangles: Any = TRIANGLES) -> tuple[dict[str, Any], bytes]:
    """A glTF file's JSON without its buffer's place, and the buffer."""
    vertices, indices = np.array(points, "<f4").tobytes(), np.array(triangles, "<u2").tobytes()
    data: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "body"}],
        "meshes": [{"name": "body", "primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [{"byteLength": len(vertices) + len(indices)}],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": len(vertices)},
            {"buffer": 0, "byteOffset": len(vertices), "byteLength": len(indices)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3 * len(triangles), "type": "SCALAR"},
        ],
    }
    return data, vertices + indices


def gltf(change: Callable[[dict[str, Any]], object] = lambda data: None, points: Any = POINTS) -> bytes:
    data, buffer = gltf_data(points)
    data["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(buffer).decode()
    change(data)
    return json.dumps(data).encode()


def glb(points: Any = POINTS) -> bytes:
    data, buffer = gltf_data(points)
    text, buffer = json.dumps(data).encode(), buffer + bytes(-len(buffer) % 4)
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer), b"BIN\0") + buffer
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def usda(points: Any = POINTS, triangles: Any = TRIANGLES, sizes: Any = None) -> bytes:
    counts = sizes or [len(triangle) for triangle in triangles]
    corners = [index for triangle in triangles for index in triangle]
    listed = ", ".join(f"({', '.join(map(str, point))})" for point in points)
    return (
        '#usda 1.0\n(\n    upAxis = "Z"\n)\ndef Mesh "body"\n{\n'
        f"    int[] faceVertexCounts = {counts}\n    int[] faceVertexIndices = {corners}\n"
        f"    point3f[] points = [{listed}]\n}}\n"
    ).encode()


def fbx(points: Any = POINTS, triangles: Any = TRIANGLES) -> bytes:
    """As text."""
    numbers = ",".join(str(value) for point in points for value in point)
    ends = ",".join(f"{first},{second},{~third}" for first, second, third in triangles)
    return (
        "; FBX 7.4.0 project file\nFBXHeaderExtension: {\n\tFBXHeaderVersion: 1003\n\tFBXVersion: 7400\n}\n"
        'Objects: {\n\tGeometry: 100, "Geometry::body", "Mesh" {\n'
        f"\t\tVertices: *{3 * len(points)} {{\n\t\t\ta: {numbers}\n\t\t}}\n"
        f"\t\tPolygonVertexIndex: *{3 * len(triangles)} {{\n\t\t\ta: {ends}\n\t\t}}\n\t}}\n"
        '\tModel: 200, "Model::body", "Mesh" {\n\t\tVersion: 232\n\t}\n}\n'
        'Connections: {\n\tC: "OO",200,0\n\tC: "OO",100,200\n}\n'
    ).encode()


WHOLE: dict[str, bytes] = {
    "obj": obj(),
    "off": off(),
    "ply": ply(),
    "binary.ply": ply(binary=True),
    "stl": stl(),
    "binary.stl": stl(binary=True),
    "gltf": gltf(),
    "glb": glb(),
    "usda": usda(),
    "fbx": fbx(),
}
"""A file of each format with nothing wrong."""


def set_at(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of glTF's data: the value at these keys is set, or taken away if it is None."""

    def change(data: dict[str, Any]) -> None:
        place: Any = data
        for key in keys[:-1]:
            place = place[key]
        if value is None:
            del place[keys[-1]]
        else:
            place[keys[-1]] = value

    return change


GLTF_CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    **{f"without {key}": set_at(key, value=None) for key in ("asset", "scenes", "nodes", "meshes", "buffers")},
    **{f"without {key}": set_at(key, value=None) for key in ("bufferViews", "accessors")},
    **{f"{key} is no list": set_at(key, value=7) for key in ("scenes", "nodes", "meshes", "buffers", "accessors")},
    **{f"{key} is empty": set_at(key, value=[]) for key in ("scenes", "nodes", "meshes", "accessors", "bufferViews")},
    **{f"node's mesh is {number}": set_at("nodes", 0, "mesh", value=number) for number in (9, -2, "x", 1.5)},
    **{f"view is {number}": set_at("accessors", 0, "bufferView", value=number) for number in (9, -2, "x")},
    **{f"count is {number}": set_at("accessors", 0, "count", value=number) for number in (0, -1, 7, 10**9, "x")},
    **{f"type is {kind}": set_at("accessors", 0, "type", value=kind) for kind in ("VEC2", "MAT4", "SCALAR", "x", 3)},
    **{f"component is {kind}": set_at("accessors", 0, "componentType", value=kind) for kind in (5120, 5125, 1, "x")},
    **{f"offset is {number}": set_at("bufferViews", 0, "byteOffset", value=number) for number in (-4, 10**6, "x")},
    **{f"length is {number}": set_at("bufferViews", 0, "byteLength", value=number) for number in (0, -4, 10**9, "x")},
    **{f"stride is {number}": set_at("bufferViews", 0, "byteStride", value=number) for number in (1, 4, 10**6, -12)},
    **{f"node's child is {number}": set_at("nodes", 0, "children", value=[number]) for number in (0, 5, "x")},
    "indices that are not there": set_at("meshes", 0, "primitives", 0, "indices", value=17),
    "no attributes": set_at("meshes", 0, "primitives", 0, "attributes", value={}),
    "mode 9": set_at("meshes", 0, "primitives", 0, "mode", value=9),
    "version 1": set_at("asset", "version", value="1.0"),
    "a needed extension": set_at("extensionsRequired", value=["KHR_draco_mesh_compression", "NOBODY_knows"]),
    "uri outside": set_at("buffers", 0, "uri", value="../../../etc/passwd"),
    "uri that is missing": set_at("buffers", 0, "uri", value="nowhere.bin"),
    "uri without base64": set_at("buffers", 0, "uri", value="data:application/octet-stream;base64,????"),
    "matrix of text": set_at("nodes", 0, "matrix", value=["x"] * 16),
    "matrix too short": set_at("nodes", 0, "matrix", value=[1.0] * 7),
    "scale 0": set_at("nodes", 0, "scale", value=[0, 0, 0]),
    "scale 1e39": set_at("nodes", 0, "scale", value=[1e39, 1, 1]),
}


def changed_bytes(suffix: str, whole: bytes) -> Iterator[HostileFile]:
    """A file cut short, with bytes changed, and with others' content."""
    for share in (0.0, 0.05, 0.2, 0.5, 0.8, 0.97):
        yield HostileFile(f"first {share:.0%}.{suffix}", whole[: int(share * len(whole))])
    generator = np.random.default_rng(len(whole))
    for number in range(8):
        content = bytearray(whole)
        for place in generator.integers(0, len(whole), 1 + 3 * number):
            content[place] = generator.integers(0, 256)
        yield HostileFile(f"{1 + 3 * number} bytes changed.{suffix}", bytes(content))
    yield HostileFile(f"zeros.{suffix}", bytes(len(whole)))
    yield HostileFile(f"noise.{suffix}", generator.bytes(3000))
    yield HostileFile(f"a page.{suffix}", b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n")
    yield HostileFile(f"a picture.{suffix}", b"\x89PNG\r\n\x1a\n" + bytes(200))
    yield HostileFile(f"twice.{suffix}", whole + whole)


def wrong_positions() -> Iterator[HostileFile]:
    """Positions that are not finite numbers."""
    for text in ("nan", "inf", "-inf", "1e39", "-1e400"):
        points = [*POINTS[:4], (1, float(text), 0.2), POINTS[5]]
        said = ("mesh-nan",)
        written = [*POINTS[:4], (1, text, 0.2), POINTS[5]]
        for suffix, make in {"obj": obj, "off": off, "ply": ply, "stl": stl}.items():
            yield HostileFile(f"{text}.{suffix}", make(written), said)
        if text != "-1e400":
            with np.errstate(over="ignore"):
                rounded = np.array(points, np.float32).tolist()
            yield HostileFile(f"{text}.binary.ply", ply(rounded, binary=True), said)
            yield HostileFile(f"{text}.binary.stl", stl(rounded, binary=True), said)
            yield HostileFile(f"{text}.gltf", gltf(points=rounded), said)
            yield HostileFile(f"{text}.glb", glb(rounded), said)
        yield HostileFile(f"{text}.usda", usda(written), said)
        yield HostileFile(f"{text}.fbx", fbx(written), (*said, "file-unreadable"))
    for text in ("nan(0x1)", "1.#IND", "1e", "--1", "1,5"):
        written = [*POINTS[:4], (1, text, 0.2), POINTS[5]]
        for suffix, make in {"obj": obj, "off": off, "ply": ply, "stl": stl}.items():
            yield HostileFile(f"{text}.{suffix}", make(written), ("mesh-nan", "file-unreadable"))
    for number in (1e39, float("inf")):
        place = set_at("nodes", 0, "translation", value=[0, number, 0])
        yield HostileFile(f"at {number}.gltf", gltf(place), ("mesh-nan", "file-unreadable"))
        there = f"    double3 xformOp:translate = (0, {number}, 0)\n"
        there += '    uniform token[] xformOpOrder = ["xformOp:translate"]\n'
        content = usda().replace(b"    int[]", there.encode() + b"    int[]", 1)
        yield HostileFile(f"at {number}.usda", content, ("mesh-nan",))
    for binary in (False, True):
        content = ply([*POINTS[:4], (1, float("nan"), 0.2), POINTS[5]], binary=binary, faces_first=True)
        yield HostileFile(f"faces first.{'binary.' if binary else ''}ply", content, ("mesh-nan",))


def wrong_numbers() -> Iterator[HostileFile]:
    """Stray vertices, faces of vertices that are not there, and counts that are not so."""
    far = [*POINTS[:5], (1e30, 0, 0)]
    for suffix, make in {"obj": obj, "off": off, "ply": ply, "stl": stl, "usda": usda, "fbx": fbx}.items():
        yield HostileFile(f"stray.{suffix}", make(far), ("mesh-far",))
        for index in (6, -1, 10**6, 2**31 - 1, 2**40):
            content = make(POINTS, [*TRIANGLES, (0, 1, index)]) if suffix != "stl" else stl()
            yield HostileFile(f"vertex {index}.{suffix}", content.replace(b"endfacet", str(index).encode(), 1))
    for count in (-1, 0, 1, 7, 10**5, 10**12):
        for suffix in ("off", "ply", "binary.ply"):
            content = WHOLE[suffix].replace(b"element vertex 6", f"element vertex {count}".encode())
            yield HostileFile(f"{count} vertices.{suffix}", content.replace(b"6 6 0", f"{count} 6 0".encode()))
            content = WHOLE[suffix].replace(b"element face 6", f"element face {count}".encode())
            yield HostileFile(f"{count} faces.{suffix}", content.replace(b"6 6 0", f"6 {count} 0".encode()))
        if count >= 0:
            content = bytes(80) + struct.pack("<I", count % 2**32) + WHOLE["binary.stl"][84:]
            yield HostileFile(f"{count} facets.binary.stl", content)
    for sizes in ([3] * 5, [3] * 7, [-3] * 6, [2, 4, 3, 3, 3, 3], [10**9] + [3] * 5):
        yield HostileFile(f"sizes {sizes[:2]} of {len(sizes)}.usda", usda(sizes=sizes))


def all_files() -> list[HostileFile]:
    """Every hostile file."""
    files = [file for suffix, whole in WHOLE.items() for file in changed_bytes(suffix, whole)]
    files += [*wrong_positions(), *wrong_numbers()]
    files += [HostileFile(f"{name}.gltf", gltf(change)) for name, change in GLTF_CHANGES.items()]
    return files
