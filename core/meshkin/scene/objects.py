"""Objects: remembered across events, given a parent, their vertices selected.

A pointer into Blender's data does not survive an undo or a deletion.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

import bpy
import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError

BlenderObject: TypeAlias = bpy.types.Object
"""An object of the open file, for the annotations of modules that do not import bpy themselves."""


@dataclass(frozen=True)
class Handle:
    """Names one object so that it can be found again later.

    Attributes:
        name: for messages.
        uid: Blender's ``session_uid``, the same for as long as the file is open, also across undo.
    """

    name: str
    uid: int

    @staticmethod
    def of(obj: bpy.types.Object) -> Handle:
        """The handle of an object."""
        return Handle(obj.name, int(obj.session_uid))

    def get(self) -> bpy.types.Object:
        """The object; raises InputError ``object-gone`` when it was deleted meanwhile."""
        for obj in bpy.data.objects:
            if obj.session_uid == self.uid:
                return obj
        raise InputError(
            "object-gone", f"“{self.name}” is not in the file any more.", "Choose an object and start again."
        )

    def sharing(self) -> list[str]:
        """Names of the other objects that have the same mesh."""
        obj = self.get()
        return [one.name for one in bpy.data.objects if one.data == obj.data and one != obj]


def remove_data_blocks(uids: Collection[int]) -> None:
    """Remove data-blocks that were made for a while, as far as they are still there.

    They go by their ``session_uid``: where the user has removed one, or opened another file, references dangle.
    """
    for kind in ("scenes", "objects", "meshes", "cameras", "materials", "images"):
        bpy.data.batch_remove([one for one in getattr(bpy.data, kind) if one.session_uid in uids])


FEATURES_PROPERTY = "meshkin_features"
"""Custom property of an object: the cache key of the features that its attributes show."""


def described(but: list[Handle]) -> list[bpy.types.Object]:
    """The file's other objects that carry features."""
    uids = {handle.uid for handle in but}
    return [obj for obj in bpy.data.objects if FEATURES_PROPERTY in obj and obj.session_uid not in uids]


def set_parent(obj: bpy.types.Object, parent: bpy.types.Object) -> None:
    """Give the object this parent, and leave it where it is."""
    matrix = obj.matrix_world.copy()
    obj.parent, obj.parent_type, obj.parent_bone = parent, "OBJECT", ""
    obj.matrix_parent_inverse = parent.matrix_world.inverted_safe()
    obj.matrix_world = matrix


def select_vertices(mesh: bpy.types.Mesh, chosen: NDArray[np.bool_]) -> None:
    """Select these vertices (W,), the edges and faces that have no others, and nothing else."""
    ends = np.empty(len(mesh.edges) * 2, np.int32)
    mesh.edges.foreach_get("vertices", ends)
    corners, starts = np.empty(len(mesh.loops), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.polygons.foreach_get("loop_start", starts)
    mesh.vertices.foreach_set("select", chosen)
    mesh.edges.foreach_set("select", chosen[ends.reshape(-1, 2)].all(axis=1))
    if len(starts):
        mesh.polygons.foreach_set("select", np.logical_and.reduceat(chosen[corners], starts))
    mesh.update()
