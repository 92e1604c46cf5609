"""An object in random poses of its armature, as snapshots; the scene stays as it is."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...data.snapshot import Snapshot
from ..mesh import snapshot as snapshots
from .binding import armature_of

TURN = 18.0
"""Deviation of a bone's turn about a random axis, degrees. Chosen: limbs move visibly, and bodies stay whole."""


def take(obj: bpy.types.Object, count: int, seed: int) -> list[Snapshot]:
    """Return the object as it is shown, and ``count`` times in a random pose; only as shown without an armature."""
    shown, armature = [snapshots.take(obj)], armature_of(obj)
    if armature is None or not armature.pose:
        return shown
    random = np.random.default_rng(seed)
    before = {bone.name: bone.matrix_basis.copy() for bone in armature.pose.bones}
    try:
        for _ in range(count):
            for bone in armature.pose.bones:
                if bone.parent:  # the root would turn the whole
                    axis = Vector(random.normal(size=3).tolist()).normalized()
                    turn = Matrix.Rotation(math.radians(random.normal(0, TURN)), 4, axis)
                    bone.matrix_basis = before[bone.name] @ turn
            bpy.context.view_layer.update()
            shown.append(snapshots.take(obj))
    finally:
        for bone in armature.pose.bones:
            bone.matrix_basis = before[bone.name]
        bpy.context.view_layer.update()
    return [pose for pose in shown if np.array_equal(pose.faces, shown[0].faces)]
