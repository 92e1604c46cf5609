"""Objects: found again after an undo, given a parent, their vertices selected.

A Python reference to Blender's data must not be used after an undo or a deletion.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import bpy
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from .arrays import read_integers

BlenderObject: TypeAlias = bpy.types.Object
"""An object of the open file, for the annotations of modules that do not import bpy themselves."""

FEATURES_PROPERTY = "meshkin_features"
"""Custom property of an object: the cache key of the features that its attributes show."""
DATA_COLLECTIONS = ("scenes", "objects", "meshes", "cameras", "lights", "materials", "worlds", "images")
"""The collections of ``bpy.data`` in which temporary data-blocks are made."""


@dataclass(frozen=True)
class Handle:
    """Identifies one object, so that it can be found again later.

    Attributes:
        name: for messages.
        uid: Blender's ``session_uid``, which stays the same while the file is open, also across undo.
    """

    name: str
    uid: int

    @staticmethod
    def of(obj: bpy.types.Object) -> Handle:
        """The handle of an object."""
        return Handle(obj.name, int(obj.session_uid))

    def get(self) -> bpy.types.Object:
        """The object; raises InputError ``object-gone`` if it was deleted meanwhile."""
        for obj in bpy.data.objects:
            if obj.session_uid == self.uid:
                return obj
        raise InputError(
            "object-gone", f"“{self.name}” is not in the file any more.", "Choose an object and start again."
        )

    def others_with_same_mesh(self) -> list[str]:
        """Names of the other objects that use the same mesh."""
        obj = self.get()
        return [other.name for other in bpy.data.objects if other.data == obj.data and other != obj]


def find(name: str) -> bpy.types.Object | None:
    """The object of this name, if there is one."""
    return bpy.data.objects.get(name)


def remove_data_blocks(uids: Collection[int]) -> None:
    """Remove temporary data-blocks, those that still exist.

    They are found by their ``session_uid``, because references to them are invalid if the user has removed one of them
    or opened another file.
    """
    for name in DATA_COLLECTIONS:
        bpy.data.batch_remove([block for block in getattr(bpy.data, name) if block.session_uid in uids])


def objects_with_features(except_for: Sequence[Handle] = ()) -> list[bpy.types.Object]:
    """The objects of the file whose attributes show features, without those of ``except_for``."""
    uids = {handle.uid for handle in except_for}
    return [obj for obj in bpy.data.objects if FEATURES_PROPERTY in obj and obj.session_uid not in uids]


def set_parent(obj: bpy.types.Object, parent: bpy.types.Object) -> None:
    """Give the object this parent without moving it."""
    matrix = obj.matrix_world.copy()
    obj.parent, obj.parent_type, obj.parent_bone = parent, "OBJECT", ""
    obj.matrix_parent_inverse = parent.matrix_world.inverted_safe()
    obj.matrix_world = matrix


def remove_material_slot(mesh: bpy.types.Mesh, index: int) -> None:
    """Remove one of the mesh's material slots from all of its objects.

    After ``materials.pop`` of the last one, Blender would leave its objects an empty slot.
    """
    if len(mesh.materials) == 1:
        mesh.materials.clear()
    else:
        mesh.materials.pop(index=index)


def forget_states(mesh: bpy.types.Mesh, *states: Literal["select", "hide"]) -> None:
    """Deselect or show everything, by removing the attributes that say what is selected or hidden.

    Where such an attribute has one value for all elements (``mesh.update(calc_edges=True)`` makes it so, and importers
    call that), Blender 5.0 crashes when values are written to it.
    """
    for state in states:
        for element in ("vert", "edge", "poly"):
            if attribute := mesh.attributes.get(f".{state}_{element}"):
                mesh.attributes.remove(attribute)


def select_vertices(mesh: bpy.types.Mesh, selected: NDArray[np.bool_]) -> None:
    """Select these vertices (W,) and the edges and faces that have no others; deselect everything else."""
    forget_states(mesh, "select")
    mesh.vertices.foreach_set("select", selected)
    mesh.edges.foreach_set("select", selected[read_integers(mesh.edges, "vertices", 2)].all(axis=1))
    if len(mesh.polygons):
        corner_vertices = read_integers(mesh.loops, "vertex_index")
        starts = read_integers(mesh.polygons, "loop_start")
        mesh.polygons.foreach_set("select", np.logical_and.reduceat(selected[corner_vertices], starts))
    mesh.update()
