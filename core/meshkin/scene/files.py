"""Mesh files as objects of the current file, their vertices in the file's order."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from . import compat
from .mesh import pairs

_BLEND = re.compile(r"(.+?\.blend):(.+)", re.IGNORECASE | re.DOTALL)
"""FILE.blend:OBJECT; the object's name may hold anything."""


def load(spec: str | Path) -> bpy.types.Object:
    """Load a mesh file, or FILE.blend:OBJECT, into the current scene as one object.

    The object stands upright in Blender's frame (Z up) as its format's importer has it: .obj, .gltf, .glb, .usd and
    .fbx say or imply where up is and are turned; .ply, .stl and .off say nothing and are taken as Z up.

    Vertices are in the file's order:

    * .obj, .ply, .off: as listed, also those that no face uses.
    * .stl, which lists corners: each position where it first occurs.
    * .gltf, .glb: node by node as the scene visits them, primitive by primitive, those that its triangles use.
    * .fbx: mesh by mesh as listed.
    * .usd, .usda, .usdc, .usdz: mesh by mesh in the order of their names (Blender's importer sorts them).

    Several meshes become one object (its skeleton is the first one's). Skins are posed as the file has them; a rigged
    object of a .blend file is posed by the current frame of the current scene.

    Raises:
        InputError: ``file-missing``, ``file-unknown`` (no such format), ``file-unreadable``, ``file-no-mesh``,
            ``object-unnamed`` and ``object-unknown`` (.blend).
    """
    text = str(spec)
    named = _BLEND.fullmatch(text)
    if named or text.lower().endswith(".blend"):
        path, name = (Path(named[1]), named[2]) if named else (Path(text), "")
        _check_there(path)
        return _append(path, name)
    path = Path(text).expanduser()
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            "file-unknown",
            f"MeshKin does not know what “{path.name}” is.",
            f"Use one of {' '.join(_READERS)}, or FILE.blend:OBJECT.",
        )
    _check_there(path)
    before = {obj.session_uid for obj in bpy.data.objects}
    try:
        reader(path)
    except (RuntimeError, ValueError, IndexError) as error:
        _remove(_since(before))
        reason = str(error).strip().removeprefix("Error: ") or type(error).__name__
        raise InputError("file-unreadable", f"{path} cannot be read: {reason}", "Export the file again.") from error
    made = _since(before)
    meshes = [obj for obj in made if obj.type == "MESH" and len(obj.data.vertices)]
    if not meshes:
        _remove(made)
        raise InputError("file-no-mesh", f"There is no mesh in {path}.", "Choose a file with a surface.")
    obj = _joined(meshes)
    obj.name = path.stem
    return obj


def _append(path: Path, name: str) -> bpy.types.Object:
    """Append an object of a .blend file, and with it what it depends on and the empties of its point pairs."""
    before = {obj.session_uid for obj in bpy.data.objects}
    try:
        with bpy.data.libraries.load(str(path.expanduser().resolve()), link=False) as (there, wanted):
            if name in there.objects:
                wanted.objects = [name, *(one for one in there.objects if one.startswith(pairs.PREFIX) and one != name)]
            names = ", ".join(f"“{one}”" for one in there.objects) or "none"
    except (OSError, RuntimeError) as error:
        raise InputError(
            "file-unreadable", f"Blender cannot open {path}: {error}.", "Save it with this Blender."
        ) from error
    if not name:
        raise InputError("object-unnamed", f"Which object of {path}?", f"Write {path}:OBJECT. Its objects are {names}.")
    if not wanted.objects:
        raise InputError("object-unknown", f"There is no object “{name}” in {path}.", f"Its objects are {names}.")
    obj, *empties = wanted.objects
    kept = [obj, *(empty for empty in empties if empty and empty.parent == obj)]
    for one in kept:
        bpy.context.scene.collection.objects.link(one)
    while others := [one for one in _since(before) if one.users == 0]:  # empties of other objects, then those
        _remove(others)
    return obj


def _read_obj(path: Path) -> None:
    before = {obj.session_uid for obj in bpy.data.objects}
    bpy.ops.wm.obj_import(filepath=str(path), use_split_objects=False, use_split_groups=False)
    for obj in _since(before):
        if obj.type == "MESH":
            _restore_unused(obj.data, path)


def _restore_unused(mesh: bpy.types.Mesh, path: Path) -> None:
    """Put back the vertices that no element of an .obj file uses, which Blender's importer leaves out."""
    positions: list[list[bytes]] = []
    used: set[int] = set()
    content = re.sub(rb"\\\r?\n", b" ", path.read_bytes())
    if len(re.findall(rb"^\s*v\s", content, re.MULTILINE)) == len(mesh.vertices):
        return
    for line in content.splitlines():
        key, *values = line.split() or [b""]
        if key == b"v":
            positions.append(values[:3])
        elif key in (b"f", b"l"):
            numbers = [int(value.split(b"/")[0]) for value in values]
            used.update(number - 1 if number > 0 else len(positions) + number for number in numbers)
    kept = np.array(sorted(index for index in used if 0 <= index < len(positions)), np.int32)
    if len(kept) != len(mesh.vertices):  # points alone, or faces that the importer found invalid
        return
    corners, edges = np.empty(len(mesh.loops), np.int32), np.empty(2 * len(mesh.edges), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.edges.foreach_get("vertices", edges)
    mesh.vertices.add(len(positions) - len(kept))
    mesh.vertices.foreach_set("co", np.array(positions, np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", kept[corners])
    mesh.edges.foreach_set("vertices", kept[edges])
    mesh.update()


def _read_off(path: Path) -> None:
    """The Object File Format of Geomview: [C][N]OFF, ASCII, colors and normals passed over."""
    lines = [line.split("#")[0].split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    rows = [line for line in lines if line]
    header = re.fullmatch(r"(ST)?C?N?OFF", rows[0][0]) if rows else None
    if header is None:
        raise ValueError("it does not begin with OFF")
    first = rows[0][1:] or rows[1]
    body = rows[1:] if rows[0][1:] else rows[2:]
    count, faces = int(first[0]), int(first[1])
    vertices = np.array([row[:3] for row in body[:count]], np.float32).reshape(-1, 3)
    polygons = [row[1 : 1 + int(row[0])] for row in body[count : count + faces]]
    sizes = np.array([int(row[0]) for row in body[count : count + faces]], np.int32)
    if len(body) < count + faces or [len(polygon) for polygon in polygons] != sizes.tolist():
        raise ValueError("it ends too early")
    corners = np.array([index for polygon in polygons for index in polygon], np.int32)
    if len(corners) and not 0 <= corners.min() <= corners.max() < count:
        raise ValueError("a face has a vertex that is not there")
    bpy.context.scene.collection.objects.link(
        bpy.data.objects.new(path.stem, _mesh(path.stem, vertices, corners, sizes))
    )


def _mesh(
    name: str, vertices: NDArray[np.float32], corners: NDArray[np.int32], sizes: NDArray[np.int32]
) -> bpy.types.Mesh:
    """A mesh of polygons with ``sizes`` corners each; polygons that Blender cannot hold (a vertex twice) go."""
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners)
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", np.cumsum(sizes, dtype=np.int32) - sizes)
    mesh.update(calc_edges=True)
    mesh.validate(clean_customdata=False)
    return mesh


_READERS: dict[str, Callable[[Path], object]] = {
    ".obj": _read_obj,
    ".ply": lambda path: bpy.ops.wm.ply_import(filepath=str(path)),
    ".stl": lambda path: bpy.ops.wm.stl_import(filepath=str(path)),
    ".off": _read_off,
    **dict.fromkeys((".glb", ".gltf"), compat.import_gltf),
    ".fbx": compat.import_fbx,
    **dict.fromkeys(
        (".usd", ".usda", ".usdc", ".usdz"),
        lambda path: bpy.ops.wm.usd_import(filepath=str(path), set_frame_range=False),
    ),
}


def _joined(meshes: list[bpy.types.Object]) -> bpy.types.Object:
    """One object of several meshes, in order."""
    first = meshes[0]
    if len(meshes) > 1:
        bpy.context.view_layer.update()
        if first.data.users > 1:
            first.data = first.data.copy()
        # Join takes an object's own mesh, not the evaluated one: shape keys and groups are joined by name.
        with bpy.context.temp_override(active_object=first, object=first, selected_editable_objects=meshes):
            bpy.ops.object.join()
    return first


def _since(before: set[int]) -> list[bpy.types.Object]:
    """Objects made since ``before`` was noted, oldest first."""
    made = [obj for obj in bpy.data.objects if obj.session_uid not in before]
    return sorted(made, key=lambda obj: int(obj.session_uid))


def _remove(objects: list[bpy.types.Object]) -> None:
    for obj in objects:
        bpy.data.objects.remove(obj)


def _check_there(path: Path) -> None:
    if not path.expanduser().is_file():
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
