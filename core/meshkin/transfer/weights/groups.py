"""Vertex groups as matrices: those of the same name merged, meshes with different groups stacked.

Only NumPy: this runs inside Blender, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...base import sides
from ...data.snapshot import Snapshot


@dataclass(frozen=True)
class WeightedMesh:
    """A mesh and the weights of its vertex groups.

    Attributes:
        shape: the mesh.
        names: of the groups, B.
        weights: (V, B).
    """

    shape: Snapshot
    names: Sequence[str]
    weights: NDArray[np.floating]


@dataclass(frozen=True)
class WeightedSurface:
    """Several meshes as one, with a column for each of their vertex groups.

    Attributes:
        vertices: float64 (V, 3), in world axes.
        faces: int (F, 3).
        weights: float32 (V, B).
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.integer]
    weights: NDArray[np.float32]


def stack_meshes(meshes: Sequence[WeightedMesh]) -> tuple[WeightedSurface, list[str]]:
    """Several meshes as one surface, and the names of its groups.

    Vertices are relative to the first mesh's origin. Groups of the same name are one; they are in the order in which
    they first appear, so the first mesh's come first.
    """
    origin = meshes[0].shape.location
    names = list(dict.fromkeys(name for mesh in meshes for name in mesh.names))
    column = {name: number for number, name in enumerate(names)}
    vertices, faces, weights, start = [], [], [], 0
    for mesh in meshes:
        vertices.append(mesh.shape.vertices + (mesh.shape.location - origin))
        faces.append(mesh.shape.faces + start)
        start += len(mesh.shape.vertices)
        columns = np.zeros((len(mesh.weights), len(names)), np.float32)
        columns[:, [column[name] for name in mesh.names]] = mesh.weights
        weights.append(columns)
    return WeightedSurface(np.concatenate(vertices), np.concatenate(faces), np.concatenate(weights)), names


def merge_groups(
    weights: NDArray[np.floating], names: Sequence[str], always: int
) -> tuple[NDArray[np.float64], list[str]]:
    """The weights with groups of the same name added up, float64 (V, C), and the C names.

    Args:
        weights: (V, B).
        names: of the groups, B; some may be the same.
        always: the first so many groups are kept in any case, the others only if they hold a weight.
    """
    kept = np.flatnonzero((np.arange(len(names)) < always) | weights.any(axis=0))
    merged_names, column = sides.unique_names([names[group] for group in kept.tolist()])
    merged = np.zeros((len(weights), len(merged_names)), np.float64)
    np.add.at(merged.T, column, weights[:, kept].T)
    return merged, merged_names
