"""How good a map between two surfaces is, measured against the truth.

Lengths are given in hundredths of the square root of the measured surface's area, as the literature does; the words
are those of :class:`meshkin.data.surface_map.SurfaceMap`: a map goes from the vertices of its domain to its range.
"""

from __future__ import annotations

from typing import Any

import igl
import numpy as np
import potpourri3d
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from meshkin.data.surface_map import SurfaceMap
from meshkin.geometry.arrays import unit_rows
from meshkin.geometry.mesh import face_vectors, surface_area, vertex_normals

Array = NDArray[Any]


def geodesics(vertices: Array, faces: Array, sources: Array) -> NDArray[np.float32]:
    """Geodesic distances from some vertices to all, in hundredths of the square root of the area.

    By the heat method (Crane et al. 2013; potpourri3d, on an intrinsic Delaunay triangulation). Between loose parts,
    where there is no path, the straight distance stands in.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        sources: int (S,).

    Returns:
        float32 (S, V).
    """
    vertices, faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges)), tuple(edges.T)), shape=(len(vertices),) * 2)
    _, part = connected_components(graph, directed=False)
    used, inverse = np.unique(faces, return_inverse=True)
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    solver = potpourri3d.MeshHeatMethodDistanceSolver(vertices[used], inverse.reshape(-1, 3), use_robust=True)
    result = np.empty((len(sources), len(vertices)), np.float32)
    for row, vertex in enumerate(sources):
        distances = np.linalg.norm(vertices - vertices[vertex], axis=1)
        reached = (part == part[vertex]) & (number >= 0)
        if number[vertex] >= 0:
            distances[reached] = np.maximum(solver.compute_distance(number[vertex])[number[reached]], 0)
        result[row] = distances
    return result * np.float32(100 / np.sqrt(surface_area(vertices, faces)))


def geodesic_errors(
    found: SurfaceMap, truth: Array, vertices: Array, faces: Array, distances: Array | None = None
) -> NDArray[np.float32]:
    """How far each mapped vertex is from where it should be, float32 (V,), as :func:`geodesics`.

    Args:
        found: the map; its ``vertex`` is measured.
        truth: int (V,), the right vertex of the range for each vertex of the domain, or -1 where none is known (nan
            comes out).
        vertices, faces: the range.
        distances: all of :func:`geodesics` of the range, (U, U), if at hand; else computed for the vertices needed.
    """
    known = truth >= 0
    errors = np.full(len(truth), np.nan, np.float32)
    if distances is None:
        needed, row = np.unique(truth[known], return_inverse=True)
        distances = geodesics(vertices, faces, needed)
    else:
        row = truth[known]
    errors[known] = distances[row, found.vertex[known]]
    return errors


def share_within(errors: Array, limit: float = 5.0) -> float:
    """Share of the known vertices whose error is at most ``limit``."""
    errors = errors[np.isfinite(errors)]
    return float((errors <= limit).mean())


def share_on_wrong_side(errors: Array, mirrored_errors: Array, apart: Array, least: float = 10.0) -> float:
    """Share of vertices that lie nearer to the mirror twin of the right answer than to the right answer.

    Args:
        errors: to the right answer, (V,).
        mirrored_errors: to its mirror twin, (V,).
        apart: from the right answer to its twin, (V,); only where this is ``least`` or more is there a side at all.
    """
    sided = np.isfinite(errors) & (apart >= least)
    return float((mirrored_errors[sided] < errors[sided]).mean()) if sided.any() else 0.0


def orientation_share(found: SurfaceMap, domain_faces: Array, vertices: Array, faces: Array) -> float:
    """Share of the domain's triangles that, mapped, face the way the range does there.

    About 0.9 for a good map, 0.1 for its mirror image. Triangles mapped to a point or a line do not count.

    Args:
        found: the map.
        domain_faces: int (G, 3).
        vertices, faces: the range.
    """
    mapped = face_vectors(found.pull(vertices, faces), domain_faces)
    outward = found.pull(vertex_normals(vertices, faces), faces)[domain_faces].sum(axis=1)
    agreement = np.einsum("fd,fd->f", unit_rows(mapped), outward)
    counted = np.abs(agreement) > 1e-9
    return float((agreement[counted] > 0).mean()) if counted.any() else 0.0


def dirichlet_energy(
    found: SurfaceMap, domain_vertices: Array, domain_faces: Array, vertices: Array, faces: Array
) -> float:
    """How much the map stretches: half the integral of its squared gradient over the domain, by the range's area.

    1 for an isometry between surfaces of the same area, larger the more it tears and stretches. Compare with the true
    map's. (Ezuz and Ben-Chen 2017, section 3.)

    Args:
        found: the map.
        domain_vertices, domain_faces: the domain.
        vertices, faces: the range.
    """
    laplacian = -igl.cotmatrix(np.asarray(domain_vertices, np.float64), np.asarray(domain_faces, np.int64))
    mapped = found.pull(vertices, faces)
    return float((mapped * (laplacian @ mapped)).sum() / 2 / surface_area(vertices, faces))


def psnr(picture: Array, truth: Array, where: Array) -> float:
    """Peak signal-to-noise ratio in dB of the values in [0, 1] at the texels ``where``; inf when equal."""
    error = float(((picture[where].astype(np.float64) - truth[where]) ** 2).mean())
    return float("inf") if error == 0 else -10 * float(np.log10(error))
