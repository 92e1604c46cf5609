"""Maps through the spectrum: a shape's smooth functions, and maps between shapes as small matrices between them.

A map takes functions of one shape to functions of the other; between the shapes' Laplacian eigenfunctions it is a
small matrix (Ovsjanikov et al., "Functional Maps", 2012). Refining goes back and forth between that matrix and the
map of the points, with more functions each time (Melzi et al., "ZoomOut", 2019); here the features stay in the search
throughout, and both directions inform one matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..features import surface

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PROXY = 5000
"""Vertices of the coarser mesh on which maps are refined, about."""
FUNCTIONS = 100
"""Eigenfunctions of each shape."""
_BLOCK = 1 << 23


@dataclass(frozen=True)
class Shape:
    """A coarser mesh of one surface, with its smooth functions.

    Attributes:
        points: float64 (P, 3), area 1, centroid at the origin.
        faces: int (G, 3).
        normals: float64 (P, 3), unit.
        mass: float64 (P,), sums to 1.
        energies: float64 (K,), eigenvalues of the Laplacian, ascending.
        functions: float64 (P, K), eigenfunctions, orthonormal under ``mass``; the first is constant.
        features: float32 (P, C), mean 0 and total variance 1 over both shapes together.
        vertex: int64 (P,), the original vertex nearest to each.
        prolong: sparse (V, P), carries values to the original vertices.
    """

    points: Floats
    faces: NDArray[np.integer]
    normals: Floats
    mass: Floats
    energies: Floats
    functions: Floats
    features: NDArray[np.float32]
    vertex: Indices
    prolong: sparse.csr_array

    @property
    def embedding(self) -> Floats:
        """Coordinates (P, K - 1) in which straight distance is distance along the surface, roughly.

        The commute-time embedding of Qiu and Hancock (2007): eigenfunctions divided by their frequency.
        """
        return self.functions[:, 1:] / np.sqrt(self.energies[1:])


def shape(vertices: NDArray[np.floating], faces: NDArray[np.integer], features: NDArray[np.float32]) -> Shape:
    """The coarser mesh of a surface with its smooth functions; ``features`` (V, C) as :class:`Shape` wants them."""
    coarse = surface.proxy(surface.normalise(vertices, faces), faces, PROXY)
    points = surface.normalise(coarse.vertices, coarse.faces)
    stiffness, mass = surface.connected_laplacian(points, coarse.faces)
    total = mass.sum()
    energies, functions = surface.eigenpairs(stiffness, mass, FUNCTIONS)
    return Shape(
        points,
        coarse.faces,
        surface.vertex_normals(points, coarse.faces),
        mass / total,
        np.maximum(energies, 1e-9),
        functions * np.sqrt(total),
        features[coarse.vertex],
        np.asarray(coarse.vertex, np.int64),
        coarse.prolong,
    )


def nearest_rows(references: NDArray[np.floating], queries: NDArray[np.floating], count: int = 1) -> Indices:
    """The ``count`` nearest references (R, D) of each query (Q, D), int64 (Q,) or (Q, count); exact, in blocks."""
    one, two = np.asarray(references, np.float32), np.asarray(queries, np.float32)
    half = np.einsum("rd,rd->r", one, one) / 2
    step = max(1, _BLOCK // len(one))
    found = []
    for start in range(0, len(two), step):
        scores = two[start : start + step] @ one.T
        scores -= half
        if count == 1:
            found.append(scores.argmax(axis=1))
        else:
            found.append(np.argpartition(scores, -count, axis=1)[:, -count:])
    return np.concatenate(found).astype(np.int64)


def orientation(domain: Shape, surface_of: Shape, to_surface: Indices) -> float:
    """Share of the domain's triangles that keep their orientation under a vertex map (P,) into ``surface_of``.

    About 0.9 for a good map, 0.1 for its mirror image.
    """
    corners = to_surface[domain.faces]
    a, b, c = surface_of.points[corners].transpose(1, 0, 2)
    facing = np.cross(b - a, c - a)
    agreement = np.einsum("fd,fd->f", facing, surface_of.normals[corners].sum(axis=1))
    proper = np.linalg.norm(facing, axis=1) > 1e-12
    return float((agreement[proper] > 0).mean()) if proper.any() else 0.5


def refine(
    source: Shape,
    target: Shape,
    source_functions: Floats,
    target_functions: Floats,
    extra: tuple[Floats, Floats],
    to_source: Indices,
    to_target: Indices,
    first: int,
    tick: Callable[[], None],
) -> tuple[Indices, Indices]:
    """Refine a pair of vertex maps, with more and more functions.

    Args:
        source, target: the shapes.
        source_functions, target_functions: orthonormal functions of each, smoothest first, as many on both.
        extra: (P, D) of each, what is compared beside the functions.
        to_source: (P_target,), a source vertex for each target vertex.
        to_target: (P_source,), the reverse.
        first: functions to start with.
        tick: called once a round; may raise Cancelled.

    Returns:
        both maps, refined.
    """
    most = min(source_functions.shape[1], target_functions.shape[1])
    count = min(first, most)
    while True:
        tick()
        one, two = source_functions[:, :count], target_functions[:, :count]
        pulled = two.T @ (target.mass[:, None] * one[to_source])  # source coefficients to target coefficients
        pushed = (one.T @ (source.mass[:, None] * two[to_target])).T
        matrix = (pulled + pushed) / 2
        scale = np.sqrt(count)
        to_source = nearest_rows(np.hstack((one / scale, extra[0])), np.hstack((two @ matrix / scale, extra[1])))
        to_target = nearest_rows(np.hstack((two / scale, extra[1])), np.hstack((one @ matrix.T / scale, extra[0])))
        if count >= most:
            return to_source, to_target
        count = min(count + max(2, count // 4), most)
