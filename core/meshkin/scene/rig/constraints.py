"""Settings of constraints that depend on where an armature's bones rest, adapted when the bones have moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

CHILD_OF_REST_TOLERANCE = 1e-3
"""A Child Of constraint whose matrix deviates at rest by less than this from the identity keeps its bone at rest;
chosen."""


@dataclass(frozen=True)
class RestState:
    """Where an armature's bones rest.

    Attributes:
        world: the armature's matrix in the world.
        rest: matrix in the world of each bone by name, at rest.
        pole_angles: by bone and constraint, the pole angle (radians) with which an IK constraint keeps its chain at
            rest.
    """

    world: Matrix
    rest: dict[str, Matrix]
    pole_angles: dict[tuple[str, str], float]


def rest_state(armature: bpy.types.Object) -> RestState:
    """The rest state of an armature as it is now."""
    rest = {bone.name: armature.matrix_world @ bone.matrix_local for bone in armature.data.bones}
    return RestState(armature.matrix_world.copy(), rest, _pole_angles(armature))


def refit(before: Mapping[bpy.types.Object, RestState], scales: Mapping[bpy.types.Object, float]) -> None:
    """Adapt the constraints of copied armatures whose bones have moved: what kept the old rest pose keeps the new one.

    Pole angles, the inverse matrix of Child Of and the lengths of Stretch To and Limit Distance are set for the new
    places; other distances are multiplied by the scale.

    Args:
        before: for each copy the state of the original armature.
        scales: how many times larger each has become.
    """
    after = {armature: rest_state(armature) for armature in before}
    for armature, scale in scales.items():
        old, new = before[armature].pole_angles, after[armature].pole_angles
        for bone_name, name in old.keys() & new.keys():
            ik = armature.pose.bones[bone_name].constraints[name]
            ik.pole_angle = _wrapped(ik.pole_angle + new[bone_name, name] - old[bone_name, name])
        for bone in armature.pose.bones:
            for constraint in bone.constraints:
                targets = [_target_rest(constraint, states) for states in (before, after)]
                _refit_constraint(bone.name, constraint, (before[armature], after[armature]), targets, scale)


def _refit_constraint(
    bone: str, constraint: Any, states: tuple[RestState, RestState], targets: list[Matrix | None], scale: float
) -> None:
    """Adapt one constraint of a bone, except for its pole angle; states and targets are those before and after."""
    (before, after), (old, new) = states, targets
    if constraint.type == "STRETCH_TO":
        constraint.rest_length = 0  # Blender measures it anew
    elif constraint.type == "CHILD_OF" and old and new:
        deviation = _child_of_matrix(constraint, old, before.world) @ constraint.inverse_matrix - Matrix.Identity(4)
        if np.abs(np.array(deviation)).max() < CHILD_OF_REST_TOLERANCE:
            constraint.inverse_matrix = _child_of_matrix(constraint, new, after.world).inverted_safe()
    elif constraint.type == "LIMIT_DISTANCE" and old and new:
        old_distance = (before.rest[bone].translation - old.translation).length
        new_distance = (after.rest[bone].translation - new.translation).length
        constraint.distance *= new_distance / old_distance if old_distance > 0 else scale
    elif constraint.type == "LIMIT_LOCATION":
        _move_limits(constraint, bone, before, after, scale)
    elif constraint.type == "FLOOR":
        constraint.offset *= scale
    elif constraint.type == "TRANSFORM":
        for end, bound, axis in product(("from", "to"), ("min", "max"), "xyz"):
            if getattr(constraint, f"map_{end}") == "LOCATION":
                name = f"{end}_{bound}_{axis}"
                setattr(constraint, name, getattr(constraint, name) * scale)


def _target_rest(constraint: Any, states: Mapping[bpy.types.Object, RestState]) -> Matrix | None:
    """The matrix in the world of a constraint's target at rest; None without a target."""
    target = getattr(constraint, "target", None)
    if target in states:
        return states[target].rest.get(constraint.subtarget, states[target].world)
    return target.matrix_world if target else None


def _child_of_matrix(constraint: Any, target: Matrix, world: Matrix) -> Matrix:
    """The part of a target's matrix that a Child Of constraint follows, in the space of the constraint's owner.

    Args:
        constraint: the Child Of constraint.
        target: matrix of its target in the world.
        world: of the armature.
    """
    matrix = target if constraint.owner_space == "WORLD" else world.inverted_safe() @ target
    location, rotation, size = matrix.decompose()
    euler = rotation.to_euler("XYZ")
    for index, axis in enumerate("xyz"):
        location[index] *= getattr(constraint, f"use_location_{axis}")
        euler[index] *= getattr(constraint, f"use_rotation_{axis}")
        size[index] = size[index] if getattr(constraint, f"use_scale_{axis}") else 1
    return Matrix.LocRotScale(location, euler, size)


def _move_limits(constraint: Any, bone: str, before: RestState, after: RestState, scale: float) -> None:
    """Move the limits of a Limit Location constraint with the bone that it limits."""
    old, new = Vector(), Vector()
    if constraint.owner_space in ("WORLD", "POSE"):
        old, new = (_rest_location(state, bone, constraint.owner_space) for state in (before, after))
    for index, axis in enumerate("xyz"):
        for name in (f"min_{axis}", f"max_{axis}"):
            setattr(constraint, name, new[index] + (getattr(constraint, name) - old[index]) * scale)


def _rest_location(state: RestState, bone: str, space: str) -> Vector:
    """Where a bone rests, in the space "WORLD" or "POSE"."""
    to_space = state.world.inverted_safe() if space == "POSE" else Matrix()
    return (to_space @ state.rest[bone]).translation


def _pole_angles(armature: bpy.types.Object) -> dict[tuple[str, str], float]:
    """:func:`pole_angle_at_rest` of each IK constraint with a pole, by the names of bone and constraint."""
    angles = {}
    for bone in armature.pose.bones:
        for constraint in bone.constraints:
            if constraint.type == "IK" and constraint.pole_target == armature and constraint.pole_subtarget:
                angle = pole_angle_at_rest(armature, bone.name, constraint.name)
                if angle is not None:
                    angles[bone.name, constraint.name] = angle
    return angles


def pole_angle_at_rest(armature: bpy.types.Object, bone: str, name: str) -> float | None:
    """The pole angle (radians) with which an IK constraint leaves its chain at rest; None if there is no such angle.

    Blender's solver turns the chain about the line from its root to its end until, seen along this line, the vector
    cos(angle) X + sin(angle) Z of its first bone's axes points at the pole. Source: Blender,
    ``IK_QJacobianSolver::ConstrainPoleVector``.
    """
    constraint = armature.pose.bones[bone].constraints[name]
    bones = armature.data.bones
    pole, last = bones.get(constraint.pole_subtarget), bones[bone]
    first, count = last, 1
    while first.parent and (constraint.chain_count == 0 or count < constraint.chain_count):
        first, count = first.parent, count + 1
    if pole is None:
        return None
    line = last.tail_local - first.head_local
    if line.length < 1e-9:
        return None
    line.normalize()
    across_line = np.eye(3) - np.outer(line, line)
    axes = np.array(first.matrix_local.to_3x3(), np.float64)[:, [0, 2]]
    to_pole = np.array(pole.head_local - first.head_local)
    (cosine, sine), *_ = np.linalg.lstsq(across_line @ axes, across_line @ to_pole, rcond=1e-6)
    return float(np.arctan2(sine, cosine)) if cosine or sine else None


def _wrapped(angle: float) -> float:
    """The angle in radians, between -pi and pi."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
