"""Armatures, and the objects that they pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from meshkin.scene.rig import binding

Vector = Sequence[float] | NDArray[np.float64]
Bones = Mapping[str, tuple[Vector, Vector, str | None]]
"""Head, tail and parent of each bone by its name, every parent before its children."""


def new_armature(name: str, bones: Bones, roll: float = 0.0, connected: bool = False) -> bpy.types.Object:
    """An armature object with these bones in the open scene, in object mode.

    With ``connected``, every child's head is its parent's tail.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for bone_name, (head, tail, parent) in bones.items():
        bone = armature.data.edit_bones.new(bone_name)
        bone.head, bone.tail, bone.roll = head, tail, roll
        bone.parent = armature.data.edit_bones.get(parent or "")
        bone.use_connect = connected and parent is not None
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def armature_of(obj: bpy.types.Object) -> bpy.types.Object:
    """The armature that poses the object, which must have one."""
    armature = binding.armature_of(obj)
    assert armature is not None, f"{obj.name} has no armature"
    return armature
