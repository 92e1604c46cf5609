"""What is changed on a temporary copy of an object, so that it is evaluated at rest."""

from __future__ import annotations

from collections.abc import Callable

import bpy
from mathutils import Matrix

Change = Callable[[bpy.types.Object], object]
"""Changes a temporary copy of an object, with its own data, before it is evaluated."""


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
    moved = armature @ bone.bone.matrix_local @ bone.matrix.inverted_safe() @ armature.inverted_safe()
    return moved @ place


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
