"""Positions that are not finite numbers, in files whose importers would move them to the origin in silence.

What cannot be read here says nothing: then the importer tells what is wrong with the file.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.storage import UNREADABLE

_PLY_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
"""NumPy's types by PLY's (G. Turk, “The PLY Polygon File Format”, and the newer names)."""
_GLTF_FLOAT = 5126
"""glTF's number of the component type float (glTF 2.0 specification, 3.6.2.2)."""
_GLB_MAGIC, _GLB_JSON, _GLB_BINARY = b"glTF", b"JSON", b"BIN\0"
"""The marks of a binary glTF file and of its chunks (glTF 2.0 specification, 4.4)."""
_NUMBER = rb"[+-]?(?:\d{1,38}(?:\.\d*)?|\.\d+)(?:[eE](?:-\d+|\+?0?\d))?"
"""A number in a text file of which it is certain at a glance that it fits into float32."""
_SHOWN_VERTICES = 5
"""Vertices that an error names (chosen)."""


def check(positions: NDArray[np.floating], path: Path, name: str = "") -> None:
    """Raise InputError ``mesh-nan``, which names the vertices, if a position (V, 3) is no finite number in float32."""
    with np.errstate(over="ignore"):
        wrong = np.flatnonzero(~np.isfinite(positions.astype(np.float32)).all(axis=1)).tolist()
    if wrong:
        listed = ", ".join(map(str, wrong[:_SHOWN_VERTICES])) + (" and others" if len(wrong) > _SHOWN_VERTICES else "")
        vertices = f"vertex {listed}" if len(wrong) == 1 else f"{len(wrong)} vertices ({listed})"
        of_name = f" of “{name}”" if name else ""
        raise InputError(
            "mesh-nan",
            f"In {path}, the position of {vertices}{of_name} is not a finite number.",
            "Delete them, or export the file again.",
        )


def check_text(path: Path, word: bytes) -> None:
    """Raise as :func:`check` for the lines of a text file that begin with a word and list three coordinates.

    Importers take a coordinate that is too large, or no number, for 0.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return
    line = rb"^[ \t]*" + word + rb"[ \t]+(?=\S)"
    if re.search(line + rb"(?!" + rb"[ \t]+".join([_NUMBER] * 3) + rb"(?:\s|\Z))", content, re.MULTILINE):
        rows = [row.split()[:3] for row in re.findall(line + rb"([^\r\n]*)", content, re.MULTILINE)]
        check(np.array([[_number(text) for text in row] for row in rows if len(row) == 3]), path)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def check_ply(path: Path) -> None:
    """Raise as :func:`check` for the vertices of a .ply file.

    Raises InputError ``file-unreadable`` if it says that it holds more than it can: Blender would try to make room.
    """
    try:
        content = path.read_bytes()
        header = content[: content.index(b"end_header")]
        if any(int(count) > len(content) for count in re.findall(rb"^element\s+\S+\s+(-?\d+)", header, re.MULTILINE)):
            raise InputError("file-unreadable", f"{path} holds less than it says.", "Export the file again.")
        found = _ply_positions(content)
    except UNREADABLE:
        return
    check(found, path)


def check_gltf(path: Path) -> None:
    """Raise as :func:`check` for the vertices of a .gltf or .glb file."""
    try:
        found = list(_gltf_positions(path))
    except UNREADABLE:
        return
    for name, positions in found:
        check(positions, path, name)


def check_fbx(path: Path, parse: Callable[[str], tuple[Any, int]]) -> None:
    """Raise as :func:`check` for the vertices of an .fbx file, read with the parser of Blender's older importer."""
    try:
        geometries = [
            geometry
            for objects in parse(str(path))[0].elems
            if objects.id == b"Objects"
            for geometry in objects.elems
            if geometry.id == b"Geometry"
        ]
        found = [
            (geometry.props[1].partition(b"\0")[0].decode("utf-8", "replace"), np.array(each.props[0], np.float64))
            for geometry in geometries
            for each in geometry.elems
            if each.id == b"Vertices"
        ]
    except UNREADABLE:
        return
    for name, positions in found:
        check(positions[: len(positions) // 3 * 3].reshape(-1, 3), path, name)


def _ply_positions(content: bytes) -> NDArray[np.floating]:
    """The positions (V, 3) in a PLY file; raises one of UNREADABLE."""
    end = re.search(rb"end_header[^\n]*\n", content)
    lines = content[: end.start()].decode("latin-1").split("\n") if end else []
    words = [line.split() for line in lines if line.strip()]
    if not end:
        raise ValueError("the header does not end")
    form = next(line[1] for line in words if line[0] == "format")
    starts = [number for number, line in enumerate(words) if line[0] == "element"]
    elements = [words[start:stop] for start, stop in zip(starts, [*starts[1:], len(words)], strict=True)]
    names = [element[0][1] for element in elements]
    before, (head, *properties) = elements[: names.index("vertex")], elements[names.index("vertex")]
    count, columns = int(head[2]), [line[-1] for line in properties if line[0] == "property"]
    if form == "ascii":
        skipped = sum(int(element[0][2]) for element in before)
        places = [columns.index(axis) for axis in "xyz"]
        rows = [line for line in content[end.end() :].splitlines() if line.strip()][skipped : skipped + count]
        return np.array([[_number(row.split()[place]) for place in places] for row in rows]).reshape(-1, 3)
    order, start = "<" if form == "binary_little_endian" else ">", end.end()
    for element in before:
        start = _after_ply_element(content, start, order, element)
    row = np.dtype([(name, order + _PLY_TYPES[kind]) for _, kind, name in properties])
    table = np.frombuffer(content, row, count, start)
    return np.stack([table[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _after_ply_element(content: bytes, start: int, order: str, element: list[list[str]]) -> int:
    """Where the data of an element of a binary PLY file end; ``element`` is its part of the header, in words."""
    kinds = [[np.dtype(order + _PLY_TYPES[kind]) for kind in line[1:-1] if kind != "list"] for line in element[1:]]
    if all(len(kind) == 1 for kind in kinds):
        return start + int(element[0][2]) * sum(kind.itemsize for (kind,) in kinds)
    for _ in range(int(element[0][2])):
        for *size, kind in kinds:
            length = int(np.frombuffer(content, size[0], 1, start)[0]) if size else 1
            start += sum(each.itemsize for each in size) + length * kind.itemsize
    return start


def _gltf_positions(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The positions (V, 3) of each primitive of a glTF file, with its mesh's name; raises one of UNREADABLE."""
    content = path.read_bytes()
    binary = b""
    if content[:4] == _GLB_MAGIC:
        start, chunks = 12, {}
        while start + 8 <= len(content):
            length, kind = struct.unpack_from("<I4s", content, start)
            chunks[kind] = content[start + 8 : start + 8 + length]
            start += 8 + length
        content, binary = chunks[_GLB_JSON], chunks.get(_GLB_BINARY, b"")
    data: dict[str, Any] = json.loads(content)
    buffers: dict[int, bytes] = {}
    for mesh in data.get("meshes", ()):
        for primitive in mesh["primitives"]:
            accessor = data["accessors"][primitive["attributes"]["POSITION"]]
            if accessor["componentType"] != _GLTF_FLOAT or "bufferView" not in accessor:
                continue
            view = data["bufferViews"][accessor["bufferView"]]
            number = view["buffer"]
            if number not in buffers:
                buffers[number] = _buffer(data["buffers"][number], path.parent, binary)
            offset = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
            stride, count = view.get("byteStride", 12), accessor["count"]
            table = np.ndarray((count, 3), "<f4", buffers[number], offset, (stride, 4))
            yield str(mesh.get("name", "")), table.copy()


def _buffer(buffer: dict[str, Any], folder: Path, binary: bytes) -> bytes:
    uri = buffer.get("uri")
    if uri is None:
        return binary
    return base64.b64decode(uri.partition(",")[2]) if uri.startswith("data:") else (folder / uri).read_bytes()
