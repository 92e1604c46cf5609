"""Objects that an armature poses."""

from __future__ import annotations

import bpy

from meshkin.scene.rig import binding


def armature_of(obj: bpy.types.Object) -> bpy.types.Object:
    """The armature that poses the object, which must have one."""
    armature = binding.armature_of(obj)
    assert armature is not None, f"{obj.name} has no armature"
    return armature
