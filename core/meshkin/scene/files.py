"""Mesh files imported as objects of the open file, their vertices in the order of the mesh file."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np

from ..base.errors import InputError
from ..base.storage import is_file
from . import compat, positions
from .arrays import read_floats, read_integers, write_vectors
from .mesh import pairs
from .mesh.building import new_mesh

_BLEND = re.compile(r"(.+?\.blend):(.+)", re.IGNORECASE | re.DOTALL)
"""FILE.blend:OBJECT; the object's name may contain any characters."""


def blend_object(spec: str) -> tuple[Path, str] | None:
    """The file and the object of FILE.blend:OBJECT; None for what is not written so."""
    found = _BLEND.fullmatch(spec)
    return (Path(found[1]), found[2]) if found else None


def is_spec(text: str) -> bool:
    """Whether a text is what :func:`load` takes, by how it is written."""
    return blend_object(text) is not None or Path(text).suffix.lower() in _IMPORTERS


def load(spec: str | Path) -> bpy.types.Object:
    """Load a mesh file, or FILE.blend:OBJECT, into the current scene as one object.

    The object stands upright in Blender's frame (Z up) as Blender's importer for the format turns it: .obj, .gltf,
    .glb, .usd and .fbx say or imply which axis is up; .ply, .stl and .off do not and are taken as Z up.

    Vertices are in the file's order:

    * .obj, .ply, .off: as listed, including those that no face uses.
    * .stl, which lists corners: each position where it first occurs.
    * .gltf, .glb: node by node as the scene visits them, primitive by primitive, those that its triangles use.
    * .fbx: mesh by mesh as listed.
    * .usd, .usda, .usdc, .usdz: mesh by mesh in the order of their names (Blender's importer sorts them).

    Several meshes become one object (with the skeleton of the first). Skins are posed as in the file; a rigged object
    of a .blend file is posed by the current frame of the current scene.

    Raises:
        InputError: ``file-missing``, ``file-unknown`` (no such format), ``file-unreadable``, ``file-no-mesh``,
            ``object-unnamed`` and ``object-unknown`` (.blend).
    """
    text = str(spec)
    if (in_blend := blend_object(text)) or text.lower().endswith(".blend"):
        path, name = in_blend or (Path(text), "")
        _check_exists(path)
        return _append(path, name)
    path = Path(text).expanduser()
    importer = _IMPORTERS.get(path.suffix.lower())
    if importer is None:
        raise InputError(
            "file-unknown",
            f"MeshKin cannot read “{path.name}”: its format is not supported.",
            f"Use one of {' '.join(_IMPORTERS)}, or FILE.blend:OBJECT.",
        )
    _check_exists(path)
    before = _object_uids()
    try:
        with _held_output():
            importer(path)
    except InputError:
        _remove(_new_objects(before))
        raise
    except Exception as error:  # whatever an importer raises on a damaged file
        _remove(_new_objects(before))
        what = f"{path} cannot be read: {_reason(error)}"
        raise InputError("file-unreadable", what, "Export the file again.") from error
    imported = _new_objects(before)
    meshes = [obj for obj in imported if obj.type == "MESH" and len(obj.data.vertices)]
    if not meshes:
        _remove(imported)
        raise InputError("file-no-mesh", f"There is no mesh in {path}.", "Choose a file with a surface.")
    obj = _join(meshes)
    obj.name = path.stem
    return obj


def _reason(error: Exception) -> str:
    """Why an importer failed, as one sentence: of an operator's error, which holds a traceback, its last line."""
    text = re.split(r"^Location:", str(error), flags=re.MULTILINE)[0]
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    reason = lines[-1] if any(line.endswith("Traceback (most recent call last):") for line in lines) else lines[0]
    return f"{reason.removeprefix('Error: ').rstrip('.')}."


@contextlib.contextmanager
def _held_output() -> Iterator[None]:
    """Hold back what an importer prints inside the block, and drop it if that fails: the error tells enough."""
    saved = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as held:
        try:
            sys.stdout.flush()
            for descriptor in (1, 2):
                os.dup2(held.fileno(), descriptor)
            yield
            held.seek(0)
            os.write(saved[1], held.read())
        finally:
            sys.stdout.flush()
            for number, descriptor in enumerate((1, 2)):
                os.dup2(saved[number], descriptor)
                os.close(saved[number])


def _append(path: Path, name: str) -> bpy.types.Object:
    """Append an object of a .blend file with all that it depends on and the empties of its point pairs."""
    before = _object_uids()
    try:
        with bpy.data.libraries.load(str(path.expanduser().resolve()), link=False) as (available, appended):
            if name in available.objects:
                empties = [
                    other for other in available.objects if other.startswith(pairs.PAIR_PREFIX) and other != name
                ]
                appended.objects = [name, *empties]
            names = ", ".join(f"“{other}”" for other in available.objects) or "none"
    except (OSError, RuntimeError) as error:
        raise InputError(
            "file-unreadable", f"Blender cannot open {path}: {error}.", "Save it with this Blender."
        ) from error
    if not name:
        raise InputError("object-unnamed", f"Which object of {path}?", f"Write {path}:OBJECT. Its objects are {names}.")
    if not appended.objects:
        raise InputError("object-unknown", f"There is no object “{name}” in {path}.", f"Its objects are {names}.")
    obj, *empties = appended.objects
    for kept in (obj, *(empty for empty in empties if empty and empty.parent == obj)):
        bpy.context.scene.collection.objects.link(kept)
    # Empties of other objects, and then these objects.
    while unused := [other for other in _new_objects(before) if other.users == 0]:
        _remove(unused)
    return obj


def _join(meshes: list[bpy.types.Object]) -> bpy.types.Object:
    """Join several mesh objects into the first, in order."""
    first = meshes[0]
    if len(meshes) > 1:
        bpy.context.view_layer.update()
        if first.data.users > 1:
            first.data = first.data.copy()
        # The operator joins the objects' own meshes, not the evaluated ones: shape keys and groups by their names.
        with bpy.context.temp_override(active_object=first, object=first, selected_editable_objects=meshes):
            bpy.ops.object.join()
    return first


def _object_uids() -> set[int]:
    return {obj.session_uid for obj in bpy.data.objects}


def _new_objects(before: set[int]) -> list[bpy.types.Object]:
    """Objects that were made since :func:`_object_uids` gave ``before``, oldest first."""
    new = [obj for obj in bpy.data.objects if obj.session_uid not in before]
    return sorted(new, key=lambda obj: int(obj.session_uid))


def _remove(objects: list[bpy.types.Object]) -> None:
    for obj in objects:
        bpy.data.objects.remove(obj)


def _check_exists(path: Path) -> None:
    if not is_file(path.expanduser()):
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")


# Importers --------------------------------------------------------------------------------------------------------


def _import_obj(path: Path) -> None:
    positions.check_text(path, b"v")
    before = _object_uids()
    bpy.ops.wm.obj_import(filepath=str(path), use_split_objects=False, use_split_groups=False, validate_meshes=False)
    for obj in _new_objects(before):
        if obj.type == "MESH":
            _check_positions(obj, path)
            obj.data.validate(clean_customdata=False)
            _restore_unused_vertices(obj.data, path)


def _check_positions(obj: bpy.types.Object, path: Path) -> None:
    """Raise InputError ``mesh-nan`` if a position is not a finite number, before Blender moves it to the origin."""
    positions.check(read_floats(obj.data.vertices, "co", 3), path, obj.name)


def _import_stl(path: Path) -> None:
    positions.check_text(path, b"vertex")
    before = _object_uids()
    bpy.ops.wm.stl_import(filepath=str(path), use_mesh_validate=False)
    for obj in _new_objects(before):
        _check_positions(obj, path)
        obj.data.validate(clean_customdata=False)


def _import_ply(path: Path) -> None:
    positions.check_ply(path)
    bpy.ops.wm.ply_import(filepath=str(path))


def _import_gltf(path: Path) -> None:
    positions.check_gltf(path)
    compat.import_gltf(path)


def _restore_unused_vertices(mesh: bpy.types.Mesh, path: Path) -> None:
    """Add the vertices that no element of an .obj file uses, which Blender's importer leaves out."""
    listed: list[list[bytes]] = []
    used: set[int] = set()
    content = re.sub(rb"\\\r?\n", b" ", path.read_bytes())
    if len(re.findall(rb"^\s*v\s", content, re.MULTILINE)) == len(mesh.vertices):
        return
    for line in content.splitlines():
        key, *values = line.split() or [b""]
        if key == b"v":
            listed.append(values[:3])
        elif key in (b"f", b"l"):
            numbers = [int(value.split(b"/")[0]) for value in values]
            used.update(number - 1 if number > 0 else len(listed) + number for number in numbers)
    imported = np.array(sorted(index for index in used if 0 <= index < len(listed)), np.int32)
    if len(imported) != len(mesh.vertices):  # points alone, or faces that the importer found invalid
        return
    corner_vertices, edges = read_integers(mesh.loops, "vertex_index"), read_integers(mesh.edges, "vertices", 2)
    mesh.vertices.add(len(listed) - len(imported))
    write_vectors(mesh.vertices, "co", np.array(listed, np.float32))
    mesh.loops.foreach_set("vertex_index", imported[corner_vertices])
    mesh.edges.foreach_set("vertices", imported[edges].ravel())
    mesh.update()


def _import_off(path: Path) -> None:
    """Import an Object File Format file of Geomview: [C][N]OFF, ASCII; colors and normals are ignored.

    Raises ValueError, IndexError.
    """
    lines = [line.split("#")[0].split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    rows = [line for line in lines if line]
    header = re.fullmatch(r"(ST)?C?N?OFF", rows[0][0]) if rows else None
    if header is None:
        raise ValueError("it does not begin with OFF")
    sizes_on_first_line = rows[0][1:]
    sizes = sizes_on_first_line or rows[1]
    body = rows[1:] if sizes_on_first_line else rows[2:]
    vertex_count, face_count = int(sizes[0]), int(sizes[1])
    vertices = np.array([row[:3] for row in body[:vertex_count]], np.float64).reshape(-1, 3)
    positions.check(vertices, path)
    face_rows = body[vertex_count : vertex_count + face_count]
    faces = [row[1 : 1 + int(row[0])] for row in face_rows]
    face_sizes = np.array([int(row[0]) for row in face_rows], np.int32)
    if len(body) < vertex_count + face_count or [len(face) for face in faces] != face_sizes.tolist():
        raise ValueError("it ends too early")
    corner_vertices = np.array([index for face in faces for index in face], np.int32)
    if len(corner_vertices) and not 0 <= corner_vertices.min() <= corner_vertices.max() < vertex_count:
        raise ValueError("a face has a vertex that is not there")
    mesh = new_mesh(path.stem, vertices.astype(np.float32), corner_vertices, face_sizes)
    mesh.validate(clean_customdata=False)  # polygons with a vertex twice are none in Blender
    bpy.context.scene.collection.objects.link(bpy.data.objects.new(path.stem, mesh))


_IMPORTERS: dict[str, Callable[[Path], object]] = {
    ".obj": _import_obj,
    ".ply": _import_ply,
    ".stl": _import_stl,
    ".off": _import_off,
    **dict.fromkeys((".glb", ".gltf"), _import_gltf),
    ".fbx": compat.import_fbx,
    **dict.fromkeys(
        (".usd", ".usda", ".usdc", ".usdz"),
        lambda path: bpy.ops.wm.usd_import(filepath=str(path), set_frame_range=False),
    ),
}
