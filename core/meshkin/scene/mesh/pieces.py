"""Characters whose surface is cut into several meshes (head, hands and body): found, and joined for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import bpy
import numpy as np
from mathutils.kdtree import KDTree

from ...base.errors import InputError
from ...base.names import cut
from ...data.snapshot import Snapshot, connected_parts
from ..arrays import read_floats, write_vectors
from ..rig import binding
from . import snapshot as snapshots
from .hiding import HIDING_MODIFIERS, NUMBER, REST
from .resting import place_at_rest

BORDER_GAP = 0.005
"""Distance up to which the borders of two meshes are one seam, in diagonals of the first one's bounding box. Chosen: a
centimeter on a person."""
BORDER_SHARE = 0.5
"""Share of the vertices of a border that must lie on the other mesh's for the two to be of one surface. Chosen."""
JOINED_OF = "meshkin_joined_of"
"""Custom property of a temporary object: the names of the objects that it was joined of."""
FEWEST_AT_BORDER = 4
"""The same as a number: smaller holes do not count. Chosen."""


def continuing(obj: bpy.types.Object, others: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Those of the other meshes that continue the surface of an object, or of one that does.

    Two meshes are pieces of one surface if one has an open border that lies along an open border of the other, as a
    head's and a body's do at the neck. Clothes and hair, which lie on the surface, are none.
    """
    border = _borders(obj)
    if border is None:
        return []
    known, waiting = [border], {other: shape for other in others if (shape := _borders(other)) is not None}
    gap = BORDER_GAP * border.diagonal
    pieces: list[bpy.types.Object] = []
    while found := [other for other, shape in waiting.items() if any(shape.lies_along(one, gap) for one in known)]:
        known += [waiting.pop(other) for other in found]
        pieces += found
    return pieces


class _OpenBorder:
    """The open borders of a mesh, in the world.

    Attributes:
        points: float64 (B, 3), the vertices on borders.
        loop: int32 (B,), the number of each vertex's border.
        diagonal: of the mesh's bounding box.
    """

    def __init__(self, shape: Snapshot) -> None:
        places, place = np.unique(shape.vertices, axis=0, return_inverse=True)  # importers split meshes along UV seams
        faces = place.reshape(-1)[shape.faces]
        sides = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
        each, count = np.unique(sides, axis=0, return_counts=True)
        used, ends = np.unique(each[count == 1], return_inverse=True)
        ends = ends.reshape(-1, 2)
        self.points = places[used].astype(np.float64) + shape.location
        self.loop = connected_parts(len(used), np.column_stack((ends, ends[:, :1])))
        self.diagonal = float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
        self._tree = KDTree(len(used))
        for number, point in enumerate(self.points.tolist()):
            self._tree.insert(point, number)
        self._tree.balance()

    def lies_along(self, other: _OpenBorder, gap: float) -> bool:
        """Whether one of these borders lies along the other mesh's, or one of those along these."""
        return self._has_loop_on(other, gap) or other._has_loop_on(self, gap)

    def _has_loop_on(self, other: _OpenBorder, gap: float) -> bool:
        if not len(self.points) or not len(other.points):
            return False
        near = np.array([other._tree.find(point)[2] <= gap for point in self.points.tolist()])
        count, size = np.bincount(self.loop, near), np.bincount(self.loop)
        return bool(((count >= BORDER_SHARE * size) & (count >= FEWEST_AT_BORDER)).any())


def _borders(obj: bpy.types.Object) -> _OpenBorder | None:
    """The borders of an object; None if it has no surface."""
    try:
        return _OpenBorder(snapshots.take(obj).check())
    except InputError:
        return None


@contextlib.contextmanager
def joined(meshes: Sequence[bpy.types.Object]) -> Iterator[bpy.types.Object]:
    """A temporary object of all meshes of a character, valid inside the block, which their armature poses.

    It has the vertex groups, shape keys, materials, UV maps and attributes of all of them, those of the same name
    joined; the vertices of the first mesh come first. What hangs on a bone gets a vertex group of that. Modifiers other
    than the armature's are applied to pieces without shape keys.
    """
    scene = bpy.data.scenes.new("MeshKin")
    temporary = {scene.session_uid}
    armature = next((rig for obj in meshes if (rig := binding.armature_of(obj))), None)
    uv_name = next((layer.name for obj in meshes for layer in _rendered_uvs(obj)), "")
    try:
        copies = [_copy_into(scene, each, temporary, armature, uv_name) for each in meshes]
        scene.frame_current, scene.frame_subframe = bpy.context.scene.frame_current, bpy.context.scene.frame_subframe
        layer = scene.view_layers[0]
        layer.update()
        first = copies[0]
        if armature and not any(modifier.type == "ARMATURE" for modifier in first.modifiers):
            first.modifiers.new("Armature", "ARMATURE").object = armature
        context = {"scene": scene, "view_layer": layer, "active_object": first, "object": first}
        with bpy.context.temp_override(**context, selected_objects=copies, selected_editable_objects=copies):
            bpy.ops.object.join()
        first.name = cut(f"{meshes[0].name} and {len(meshes) - 1} more")
        first[JOINED_OF] = [obj.name for obj in meshes]
        if uv_name in first.data.uv_layers:
            first.data.uv_layers[uv_name].active_render = True
        yield first
    finally:
        collections = (bpy.data.scenes, bpy.data.objects, bpy.data.meshes, bpy.data.shape_keys)
        bpy.data.batch_remove([block for all_of in collections for block in all_of if block.session_uid in temporary])


def joined_of(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The meshes that a temporary object was joined of; of any other object itself."""
    return [bpy.data.objects[name] for name in obj.get(JOINED_OF, [obj.name])]


def _copy_into(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    temporary: set[int],
    armature: bpy.types.Object | None,
    uv_name: str,
) -> bpy.types.Object:
    """A copy of an object with nothing but Armature modifiers, in a temporary scene."""
    if obj.type == "MESH" and obj.data.is_editmode:
        obj.update_from_editmode()
    copy = obj.copy()
    keeps = obj.type == "MESH" and all(each.type in ("ARMATURE", *HIDING_MODIFIERS) for each in obj.modifiers)
    if keeps or (obj.type == "MESH" and obj.data.shape_keys):
        copy.data = obj.data.copy()
    else:
        with snapshots.evaluated(obj, change=_without_armatures) as (evaluated_object, _):
            data = bpy.data.meshes.new_from_object(
                evaluated_object, preserve_all_data_layers=True, depsgraph=bpy.context.evaluated_depsgraph_get()
            )
        for name in (REST, NUMBER):
            if name in data.attributes:
                data.attributes.remove(data.attributes[name])
        if obj.type == "MESH":
            copy.data = data
        else:
            place = obj.matrix_world.copy()
            bpy.data.objects.remove(copy)
            copy = bpy.data.objects.new(obj.name, data)
            copy.matrix_world = place
    copy.hide_viewport = False
    for modifier in list(copy.modifiers):
        if modifier.type != "ARMATURE":
            copy.modifiers.remove(modifier)
    temporary |= {block.session_uid for block in (copy, copy.data, copy.data.shape_keys) if block}
    if obj.parent_type == "BONE" and obj.parent == armature:
        place = place_at_rest(obj)
        copy.parent = None
        copy.animation_data_clear()
        copy.constraints.clear()
        copy.matrix_world = place
        copy.vertex_groups.clear()
        copy.vertex_groups.new(name=obj.parent_bone).add(range(len(copy.data.vertices)), 1.0, "REPLACE")
    layers = copy.data.uv_layers
    if uv_name and uv_name not in layers and (own := next(_rendered_uvs(copy), None)):
        values = read_floats(own.uv, "vector", 2)  # reading first: a new layer moves the others
        if (layer := layers.new(name=uv_name, do_init=False)) is not None:
            write_vectors(layer.uv, "vector", values)
    scene.collection.objects.link(copy)
    return copy


def _rendered_uvs(obj: bpy.types.Object) -> Iterator[bpy.types.MeshUVLoopLayer]:
    """The UV map of a mesh that is active for rendering, if it has one."""
    if obj.type == "MESH":
        yield from (layer for layer in obj.data.uv_layers if layer.active_render)


def _without_armatures(obj: bpy.types.Object) -> None:
    for modifier in obj.modifiers:
        if modifier.type == "ARMATURE":
            modifier.show_viewport = False
