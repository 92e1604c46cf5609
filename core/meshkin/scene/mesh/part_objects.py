"""Parts of a mesh as objects of their own, with all that the mesh has."""

from __future__ import annotations

from collections.abc import Sequence

import bmesh
import bpy
import numpy as np
from numpy.typing import NDArray

from ..arrays import read_integers
from . import part_labels


def separate(obj: bpy.types.Object, labels: NDArray[np.integer], names: Sequence[str]) -> list[bpy.types.Object]:
    """Make an object of each part of a mesh object; the object itself becomes the first of them.

    As with Blender's own Separate, the objects keep modifiers, materials, vertex groups, attributes, UV maps, shape
    keys and their animation, and lie in the same collections under the same parent. Normals that were set by hand or
    by an importer stay as they were, also along the cuts.

    Args:
        obj: a mesh object that can be written to.
        labels: int (N,), the part of each of its faces.
        names: of the parts, which name the objects.

    Returns the objects, in the order of the parts that have faces.
    """
    parts = np.unique(labels)
    if len(parts) < 2:
        return [obj]
    title = obj.name
    if obj.data.users > 1:  # other objects keep the whole mesh
        obj.data = obj.data.copy()
    pieces = [obj]
    for _ in parts[1:]:
        piece = obj.copy()
        piece.data = obj.data.copy()
        for collection in obj.users_collection:
            collection.objects.link(piece)
        pieces.append(piece)
    for piece, part in zip(pieces, parts.tolist(), strict=True):
        _keep(piece.data, labels == part)
        part_labels.name_piece(piece, part, title, names[part])
    return pieces


def _keep(mesh: bpy.types.Mesh, kept: NDArray[np.bool_]) -> None:
    """Remove all faces but those that are kept, (N,), with the edges and vertices that only they had."""
    normals = None
    if mesh.has_custom_normals:
        of_corners = np.repeat(kept, read_integers(mesh.polygons, "loop_total"))
        normals = np.zeros((len(mesh.loops), 3), np.float32)
        mesh.corner_normals.foreach_get("vector", normals.ravel())
        normals = normals[of_corners]
    work = bmesh.new()
    work.from_mesh(mesh)
    faces = list(work.faces)
    bmesh.ops.delete(work, geom=[faces[number] for number in np.flatnonzero(~kept).tolist()], context="FACES")
    work.to_mesh(mesh)
    work.free()
    if normals is not None:
        mesh.normals_split_custom_set(normals)
    mesh.update()
