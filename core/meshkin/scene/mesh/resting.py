"""What is changed on a temporary copy of an object, so that it is evaluated at rest."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from mathutils import Matrix

Change = Callable[[bpy.types.Object], object]
"""Changes a temporary copy of an object, with its own data, before it is evaluated."""
PLACE_TOLERANCE = 1e-4
"""Share of the largest entry up to which two matrices place an object alike; chosen: far above rounding errors."""


def unchanged(copy: bpy.types.Object) -> None:
    """Leave a temporary copy as it is."""


def has_armature(obj: bpy.types.Object) -> bool:
    """Whether an armature may pose the object."""
    return any(modifier.type == "ARMATURE" for modifier in obj.modifiers) or obj.parent_type == "ARMATURE"


def is_moved(obj: bpy.types.Object) -> bool:
    """Whether an armature, a bone or shape keys may move the object's surface from rest."""
    return has_armature(obj) or obj.parent_type == "BONE" or bool(getattr(obj.data, "shape_keys", None))


def remove_armatures(copy: bpy.types.Object) -> None:
    """Let no armature pose a temporary copy of an object."""
    for modifier in [each for each in copy.modifiers if each.type == "ARMATURE"]:
        copy.modifiers.remove(modifier)
    if copy.parent_type == "ARMATURE":
        copy.parent_type = "OBJECT"


def mute_keys(copy: bpy.types.Object) -> None:
    """Let no shape key of a temporary copy of an object act."""
    keys = copy.data.shape_keys if copy.type == "MESH" else None
    if keys is None:
        return
    copy.show_only_shape_key = False
    keys.animation_data_clear()
    keys.use_relative = True
    for block in keys.key_blocks:
        block.mute = True


def place_at_rest(obj: bpy.types.Object) -> Matrix:
    """Where an object is in the world when the bone that is its parent, if one is, stands at rest."""
    place = obj.matrix_world.copy()
    bone = obj.parent.pose.bones.get(obj.parent_bone) if obj.parent_type == "BONE" and obj.parent else None
    if bone is None:
        return place
    armature = obj.parent.matrix_world
    # As Blender places it, so that the result is the same to the last digit in every pose; constraints may add to that.
    own = Matrix.Translation((0, bone.length, 0)) @ obj.matrix_parent_inverse @ obj.matrix_basis
    if _are_near(armature @ bone.matrix @ own, place):
        return (
            armature
            @ bone.bone.matrix_local
            @ Matrix.Translation((0, bone.bone.length, 0))
            @ (obj.matrix_parent_inverse @ obj.matrix_basis)
        )
    moved = armature @ bone.bone.matrix_local @ bone.matrix.inverted_safe() @ armature.inverted_safe()
    return moved @ place


def _are_near(one: Matrix, other: Matrix) -> bool:
    """Whether two matrices are the same but for rounding errors."""
    size = max(abs(value) for row in other for value in row)
    return all(
        abs(a - b) <= PLACE_TOLERANCE * size
        for rows in zip(one, other, strict=True)
        for a, b in zip(*rows, strict=True)
    )


def unpose(copy: bpy.types.Object) -> None:
    """Let neither armatures act on a temporary copy of an object, nor the pose of its parent bone."""
    remove_armatures(copy)
    if copy.parent_type == "BONE":
        place = place_at_rest(copy)
        copy.parent = None
        copy.animation_data_clear()
        copy.constraints.clear()
        copy.matrix_world = place


def put_at_rest(copy: bpy.types.Object) -> None:
    """Unpose a temporary copy of an object, and let no shape key act on it."""
    unpose(copy)
    mute_keys(copy)
