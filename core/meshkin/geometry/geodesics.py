"""Distances along a surface."""

from __future__ import annotations

import numpy as np
import potpourri3d
from numpy.typing import NDArray

from .adjacency import loose_parts
from .arrays import AnyIntegers, Floats, Integers, Singles
from .mesh import clean_faces


def spread_distances(
    vertices: NDArray[np.floating], faces: AnyIntegers, count: int, seed: int = 0
) -> tuple[Integers, Singles]:
    """Distances from points that are spread evenly over a surface, each the farthest one from all before.

    Distances are those of the heat method (Crane, Weischedel and Wardetzky, "Geodesics in Heat", 2013), on an intrinsic
    Delaunay triangulation. Between loose parts there is no way: these distances are infinite, and each part gets its
    points in turn.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: of the points, at most as many as there are vertices with a face.
        seed: of the first point.

    Returns:
        ``points`` int64 (P,), vertices; ``distances`` float32 (P, V), infinite where no way leads.
    """
    faces = clean_faces(faces)
    used, compact = np.unique(faces, return_inverse=True)
    places = np.asarray(vertices, np.float64)[used]
    part = loose_parts(places, compact.reshape(-1, 3)).of_vertex
    solver = potpourri3d.MeshHeatMethodDistanceSolver(places, compact.reshape(-1, 3), use_robust=True)
    point = int(np.random.default_rng(seed).integers(len(used)))
    nearest = np.full(len(used), np.inf)
    points, rows = [], []
    for _ in range(min(count, len(used))):
        distances = _from(solver, point, part)
        row = np.full(len(vertices), np.inf, np.float32)
        row[used] = distances
        points.append(used[point])
        rows.append(row)
        nearest = np.minimum(nearest, distances)
        point = int(nearest.argmax())
    return np.asarray(points, np.int64), np.asarray(rows)


def _from(solver: potpourri3d.MeshHeatMethodDistanceSolver, point: int, part: NDArray[np.int32]) -> Floats:
    """The distances (V,) of all vertices from one, infinite on other parts."""
    distances: Floats = np.maximum(solver.compute_distance(point), 0)
    distances[part != part[point]] = np.inf
    distances[point] = 0
    return distances
