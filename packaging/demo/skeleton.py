"""Forward kinematics and linear blend skinning on plain arrays, as in Blender's armatures.

A skeleton has ``parents`` (B,), with -1 for the root and each parent before its children, and ``matrices`` (B, 4, 4)
from bone to character, with Y along the bone and the bone's head in the last column. Character frame: Z up, facing -Y,
meters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]
Turns = Mapping[str, tuple[float, float, float]]
"""Rotations by bone name: degrees about the character's X (bend), Y (sideways) and Z (twist) axes, in this order."""


def mirrored(turns: Turns) -> dict[str, tuple[float, float, float]]:
    """Return the turns, with mirrored ones added for right bones (``.R``) where only the left bone has one."""
    sides = {name[:-1] + "R": (x, -y, -z) for name, (x, y, z) in turns.items() if name.endswith(".L")}
    return {**sides, **turns}


def local_turns(names: Sequence[str], matrices: Array, turns: Turns) -> Array:
    """Return turns about the character's axes as rotations in each bone's frame, float64 (B, 3, 3)."""
    world = np.stack(
        [Rotation.from_euler("xyz", turns.get(name, (0, 0, 0)), degrees=True).as_matrix() for name in names]
    )
    rest = matrices[:, :3, :3]
    return np.swapaxes(rest, 1, 2) @ world @ rest


def pose(parents: Array, matrices: Array, local: Array, scales: Array | None = None) -> Array:
    """Return bone matrices (B, 4, 4) after rotating and scaling each bone with its children; ``local`` is (B, 3, 3)."""
    posed = np.empty_like(matrices)
    for bone, parent in enumerate(parents):
        change = np.eye(4)
        change[:3, :3] = local[bone] * (1 if scales is None else scales[bone])
        if parent < 0:
            posed[bone] = matrices[bone] @ change
        else:
            posed[bone] = posed[parent] @ np.linalg.solve(matrices[parent], matrices[bone]) @ change
    return posed


def between(parents: Array, start: Array, end: Array) -> Array:
    """Return the rotations (B, 3, 3), each in its bone's frame, from a pose ``start`` (B, 4, 4) to a pose ``end``."""
    first, last = start[:, :3, :3], end[:, :3, :3]
    local = np.swapaxes(first, 1, 2) @ last
    for bone, parent in enumerate(parents):
        if parent >= 0:
            local[bone] = (first[parent].T @ first[bone]).T @ last[parent].T @ last[bone]
    return local


def without_scale(matrices: Array) -> tuple[Array, Array]:
    """Return the bones with unit axes, and the scale that each bone had, (B,)."""
    scale = np.linalg.norm(matrices[:, :3, 1], axis=1)
    rigid = matrices.copy()
    rigid[:, :3, :3] /= scale[:, None, None]
    return rigid, scale


def skin(vertices: Array, weights: Array, rest: Array, posed: Array) -> Array:
    """Return vertices (V, 3) after linear blend skinning; the rows of ``weights`` (V, B) sum to 1."""
    transforms = np.einsum("vb,bij->vij", weights, (posed @ np.linalg.inv(rest))[:, :3])
    return np.einsum("vij,vj->vi", transforms[:, :, :3], vertices) + transforms[:, :, 3]
