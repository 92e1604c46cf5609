"""Armatures copied with everything that depends on them; copies of several armatures use each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from .. import animation, earlier


def copy_to(
    armature: bpy.types.Object, target: bpy.types.Object, shift: Sequence[float], name: str
) -> bpy.types.Object:
    """A copy of an armature with its data, in the target's collections, moved by ``shift`` in the world.

    Constraints, drivers, custom shapes, bone collections and custom properties are copied too; what uses the original
    or its data uses the copy then. The copy is in its rest pose, without the original's action.
    """
    copy = armature.copy()
    copy.data = armature.data.copy()
    for block in (copy, copy.data):
        if block.override_library:  # of a library override, only what the library allows could be changed
            block.make_local(clear_liboverride=True)
    copy.name = copy.data.name = name
    for collection in target.users_collection or [bpy.context.scene.collection]:
        collection.objects.link(copy)
    copy.parent = None
    copy.matrix_world = Matrix.Translation(Vector(shift)) @ armature.matrix_world
    copy.hide_viewport = False
    use({armature: copy, armature.data: copy.data}, copy)
    clear_pose(copy)
    return copy


def clear_pose(armature: bpy.types.Object) -> None:
    """Bring an armature into its rest pose, without any action."""
    for block in (armature, armature.data):
        animation.clear(block)
    for bone in armature.pose.bones:
        bone.matrix_basis = Matrix()


def connect(copied: Mapping[bpy.types.Object, bpy.types.Object]) -> None:
    """Let copies of armatures use each other, and be each other's parents, as the originals do.

    Args:
        copied: the copy of each of them.
    """
    blocks = {one: other for old, new in copied.items() for one, other in ((old, new), (old.data, new.data))}
    for old, copy in copied.items():
        use(blocks, copy)
        if old.parent in copied:
            bpy.context.view_layer.update()
            matrix = copy.matrix_world.copy()
            copy.parent, copy.parent_type, copy.parent_bone = copied[old.parent], old.parent_type, old.parent_bone
            bpy.context.view_layer.update()
            copy.matrix_world = matrix


def use(replacements: Mapping[Any, Any], copy: bpy.types.Object) -> None:
    """Let constraints and drivers of a copied armature use other data-blocks, such as the copy for the original."""
    for bone in copy.pose.bones:
        for constraint in bone.constraints:
            for name in ("target", "pole_target"):
                _replace(constraint, name, replacements)
            for constraint_target in getattr(constraint, "targets", ()):
                _replace(constraint_target, "target", replacements)
    for constraint in copy.constraints:
        _replace(constraint, "target", replacements)
    for block in (copy, copy.data):
        for curve in block.animation_data.drivers if block.animation_data else ():
            for variable in curve.driver.variables:
                for variable_target in variable.targets:
                    _replace(variable_target, "id", replacements)


def _replace(owner: Any, name: str, replacements: Mapping[Any, Any]) -> None:
    """Replace the data-block that a property points to, if there is the property and a replacement."""
    block = getattr(owner, name, None)
    if block in replacements:
        setattr(owner, name, replacements[block])


def take_place(copy: bpy.types.Object, name: str) -> bool:
    """Let a copy take the place of the one that came over before, with its pose and what animates it.

    That is the copy of this name, if its bones were not edited since. Returns whether there was one.
    """
    before = earlier.find(copy, name, _state)
    if before is not None:
        for bone in copy.pose.bones:
            if other := before.pose.bones.get(bone.name):
                bone.rotation_mode, bone.matrix_basis = other.rotation_mode, other.matrix_basis
        animation.copy(before, copy)
        animation.copy(before.data, copy.data)
    earlier.replace(before, copy, name, _state)
    return before is not None


def is_as_fitted(armature: bpy.types.Object) -> bool:
    """Whether an armature is a copy that came over and whose bones were not edited since."""
    return earlier.is_untouched(armature, _state)


def _state(armature: bpy.types.Object) -> str:
    """A digest of an armature's bones, where they rest, and what constrains them."""
    bones = armature.data.bones
    places = np.array([(*bone.head_local, *bone.tail_local) for bone in bones], np.float32)
    limits = [f"{bone.name} {limit.type} {limit.name}" for bone in armature.pose.bones for limit in bone.constraints]
    return earlier.digest([places.tobytes(), *(f"{bone.name} {bone.use_deform}" for bone in bones), *limits])
