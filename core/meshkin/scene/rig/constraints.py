"""What constraints know of where an armature's bones rest, and must be told when these move."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

STILL = 1e-3
"""A Child Of constraint that moves its bone by less at rest has its inverse set for that."""


@dataclass(frozen=True)
class RestState:
    """Where an armature's bones rest in the world, and the pole angles of IK constraints that keep them there."""

    world: Matrix
    rest: dict[str, Matrix]
    poles: dict[tuple[str, str], float]


def rest_state(armature: bpy.types.Object) -> RestState:
    """What :func:`refit` needs to know of the armature that another one is a copy of."""
    rest = {bone.name: armature.matrix_world @ bone.matrix_local for bone in armature.data.bones}
    return RestState(armature.matrix_world.copy(), rest, _pole_angles(armature))


def refit(armature: bpy.types.Object, before: RestState, scale: float) -> None:
    """Adapt a copied armature's constraints to its moved bones: what kept the old rest pose keeps the new one.

    Pole angles, the inverse of Child Of, the lengths of Stretch To and Limit Distance are for the new places; other
    distances grow with the rig.

    Args:
        before: of the armature that this one is a copy of.
        scale: how many times larger the rig has become.
    """
    after = rest_state(armature)
    for (bone, name), angle in before.poles.items():
        if (bone, name) in after.poles:
            ik = armature.pose.bones[bone].constraints[name]
            ik.pole_angle = _wrapped(ik.pole_angle + after.poles[bone, name] - angle)
    for bone in armature.pose.bones:
        for one in bone.constraints:
            old, new = (_anchor(armature, one, places) for places in (before, after))
            if one.type == "STRETCH_TO":
                one.rest_length = 0  # Blender measures it anew
            elif one.type == "CHILD_OF" and old and new:
                still = _followed(old, one, before.world) @ one.inverse_matrix - Matrix.Identity(4)
                if np.abs(np.array(still)).max() < STILL:
                    one.inverse_matrix = _followed(new, one, after.world).inverted_safe()
            elif one.type == "LIMIT_DISTANCE" and old and new:
                was = (before.rest[bone.name].translation - old.translation).length
                now = (after.rest[bone.name].translation - new.translation).length
                one.distance *= now / was if was > 0 else scale
            elif one.type == "LIMIT_LOCATION":
                _move_limits(one, bone.name, before, after, scale)
            elif one.type == "FLOOR":
                one.offset *= scale
            elif one.type == "TRANSFORM":
                for end, least, axis in product(("from", "to"), ("min", "max"), "xyz"):
                    if getattr(one, f"map_{end}") == "LOCATION":
                        field = f"{end}_{least}_{axis}"
                        setattr(one, field, getattr(one, field) * scale)


def _anchor(armature: bpy.types.Object, one: Any, places: RestState) -> Matrix | None:
    """Where in the world what a constraint follows rests; None for nothing."""
    target = getattr(one, "target", None)
    if target == armature:
        return places.rest.get(one.subtarget, places.world)
    return target.matrix_world if target else None


def _followed(matrix: Matrix, one: Any, world: Matrix) -> Matrix:
    """Of a matrix, in the owner's space, what a Child Of constraint is told to follow."""
    place, turn, size = (matrix if one.owner_space == "WORLD" else world.inverted_safe() @ matrix).decompose()
    euler = turn.to_euler("XYZ")
    for index, axis in enumerate("xyz"):
        place[index] *= getattr(one, f"use_location_{axis}")
        euler[index] *= getattr(one, f"use_rotation_{axis}")
        size[index] = size[index] if getattr(one, f"use_scale_{axis}") else 1
    return Matrix.LocRotScale(place, euler, size)


def _move_limits(one: Any, bone: str, before: RestState, after: RestState, scale: float) -> None:
    """Limits of a place stay around the bone that they limit."""
    was = now = Vector()
    if one.owner_space in ("WORLD", "POSE"):
        was, now = (
            ((each.world.inverted_safe() if one.owner_space == "POSE" else Matrix()) @ each.rest[bone]).translation
            for each in (before, after)
        )
    for index, axis in enumerate("xyz"):
        for field in (f"min_{axis}", f"max_{axis}"):
            setattr(one, field, now[index] + (getattr(one, field) - was[index]) * scale)


def _pole_angles(armature: bpy.types.Object) -> dict[tuple[str, str], float]:
    """For each IK constraint with a pole, by bone and constraint: the angle at which the rest pose keeps still."""
    angles = {}
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            if constraint.type == "IK" and constraint.pole_target == armature and constraint.pole_subtarget:
                angle = _pole_angle(armature, bone.name, constraint.name)
                if angle is not None:
                    angles[bone.name, constraint.name] = angle
    return angles


def _pole_angle(armature: bpy.types.Object, bone: str, name: str) -> float | None:
    """The pole angle that leaves a chain of an IK constraint where it rests; None where there is none."""
    constraint = armature.pose.bones[bone].constraints[name]
    bones = armature.data.bones
    pole, last = bones.get(constraint.pole_subtarget), bones[bone]
    first, count = last, 1
    while first.parent and (constraint.chain_count == 0 or count < constraint.chain_count):
        first, count = first.parent, count + 1
    if pole is None:
        return None
    # The solver turns the chain about the line from its root to its end until, seen along this line, the mixture
    # cos(angle) X + sin(angle) Z of its first bone's axes points at the pole (iksolver: IK_QSolver's pole constraint).
    along = last.tail_local - first.head_local
    if along.length < 1e-9:
        return None
    along.normalize()
    seen = np.eye(3) - np.outer(along, along)
    axes = np.array(first.matrix_local.to_3x3(), np.float64)[:, [0, 2]]
    mixture, *_ = np.linalg.lstsq(seen @ axes, seen @ np.array(pole.head_local - first.head_local), rcond=1e-6)
    return float(np.arctan2(mixture[1], mixture[0])) if mixture.any() else None


def _wrapped(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
