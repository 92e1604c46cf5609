"""Left and right: a shape's own mirror map, found from its features, in any pose and along no axis.

Features tell what a point is but not on which side it lies. So, of a shape's smooth functions, those that can be told
from the features are the symmetric ones, and those that cannot are the antisymmetric ones. Their split is the mirror
map as a small matrix (an involution: +1 on the one, -1 on the other), which is then refined to a map of points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from ..features import surface
from .spectral import Floats, Indices, Shape, nearest_rows, orientation

SIZES = (8, 12, 20)
"""Numbers of functions that the first guess is made from."""
NEIGHBOURS = 40
"""Points with similar features over which a function is averaged to see whether features tell it."""
REFINED = 60
"""Functions by which the mirror map is refined to."""
SPLIT = 80
"""Functions split into symmetric and antisymmetric ones."""
FEATURE_WEIGHT = 0.3
"""Of the features against the functions in the search for the mirror map."""
CLEAR = 0.25
"""A guess whose :func:`_faults` are fewer ends the search."""


@dataclass(frozen=True)
class Mirror:
    """The mirror map of one shape.

    Attributes:
        twin: int64 (P,), for each point the one on the other side.
        symmetric: float64 (P, A), orthonormal functions that are the same on both sides, smoothest first.
        side: float64 (P,), 1 on one side, -1 on the other, passing through 0 where they meet.
    """

    twin: Indices
    symmetric: Floats
    side: Floats


def find_mirror(shape: Shape, tick: Callable[[], None]) -> Mirror | None:
    """The shape's mirror map, or None where it has none that is clear.

    A map is taken for a mirror only if it reverses the orientation of triangles, leads back when applied twice, keeps
    the features and moves points far. ``tick`` is called between rounds; may raise Cancelled.
    """
    if shape.functions.shape[1] < max(SIZES):
        return None
    averaged = shape.functions[nearest_rows(shape.features, shape.features, NEIGHBOURS)].mean(axis=1)
    best: tuple[float, Indices] | None = None
    for size in SIZES:
        functions = shape.functions[:, :size]
        told = functions.T @ (shape.mass[:, None] * averaged[:, :size])
        shares, mixed = np.linalg.eigh((told + told.T) / 2)  # how far features tell each function, ascending
        untold = int(np.diff(shares).argmax()) + 1
        twin = _refined(shape, mixed * np.where(np.arange(size) < untold, -1, 1) @ mixed.T, tick)
        faults = _faults(shape, twin)
        if best is None or faults < best[0]:
            best = faults, twin
        if faults < CLEAR:
            break
    assert best is not None
    if not np.isfinite(best[0]):
        return None
    return _split(shape, best[1])


def _refined(shape: Shape, matrix: Floats, tick: Callable[[], None]) -> Indices:
    """A map of points from the mirror's matrix, by ZoomOut; each round's matrix is made an involution again."""
    features = FEATURE_WEIGHT * shape.features
    size = len(matrix)
    while True:
        tick()
        functions = shape.functions[:, :size] / np.sqrt(size)
        twin = nearest_rows(np.hstack((functions, features)), np.hstack((functions @ matrix, features)))
        if size >= min(REFINED, shape.functions.shape[1]):
            return twin
        size = min(size + max(2, size // 3), REFINED, shape.functions.shape[1])
        matrix = _involution(shape, twin, size)


def _involution(shape: Shape, twin: Indices, size: int) -> Floats:
    """The matrix nearest to a self-map's that is its own inverse and keeps lengths."""
    values, vectors = _eigen(shape, twin, size)
    return np.asarray(vectors * np.where(values > 0, 1, -1) @ vectors.T)


def _eigen(shape: Shape, twin: Indices, size: int) -> tuple[Floats, Floats]:
    functions = shape.functions[:, :size]
    matrix = functions.T @ (shape.mass[:, None] * functions[twin])
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return values, vectors


def _faults(shape: Shape, twin: Indices) -> float:
    """How far a self-map is from a mirror map: 0 is perfect, infinite where it is none.

    The sum of the share of triangles that keep their orientation, the mean distance of a point from its twin's twin
    (1 is that of any two points), and the root mean square change of the features.
    """
    places = shape.functions[:, 1:20] / np.sqrt(1 + shape.energies[1:20])

    def distance(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
        return float(np.linalg.norm(places[one] - places[two], axis=1).mean())

    points = np.arange(len(twin))
    chance = distance(points, np.random.default_rng(0).permutation(points))
    kept = orientation(shape, shape, twin)
    back, moved = distance(twin[twin], points) / chance, distance(twin, points) / chance
    changed = float(np.sqrt(shape.mass @ ((shape.features[twin] - shape.features) ** 2).sum(axis=1)))
    if kept > 0.4 or back > 0.15 or moved < 0.2 or changed > 0.8:
        return np.inf
    return kept + back + changed


def _split(shape: Shape, twin: Indices) -> Mirror:
    size = min(SPLIT, shape.functions.shape[1])
    values, vectors = _eigen(shape, twin, size)

    def smoothest(chosen: NDArray[np.bool_]) -> Floats:
        basis = vectors[:, chosen]
        _, order = np.linalg.eigh(basis.T @ (shape.energies[:size, None] * basis))
        return np.asarray(shape.functions[:, :size] @ (basis @ order))

    return Mirror(twin, smoothest(values > 0), _side(shape, twin, smoothest(values <= 0)))


def _side(shape: Shape, twin: Indices, antisymmetric: Floats) -> Floats:
    """Which side each point lies on: the antisymmetric function that changes only where points are near their twins.

    Edges count by the squared distance of their ends from their twins, so cutting along the line where the sides meet
    costs nothing; the least cut (Shi and Malik, "Normalized Cuts", 2000) among antisymmetric functions lies there.
    """
    places = shape.embedding[:, :60]
    apart = np.linalg.norm(places - places[twin], axis=1)
    pairs = np.concatenate((surface.edges(shape.faces), surface.bridges(shape.points, shape.faces)))
    weight = np.minimum(apart[pairs[:, 0]], apart[pairs[:, 1]]) ** 2
    count = len(apart)
    half = sparse.coo_array((weight, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    graph = sparse.csr_array(half + half.T)
    degree = np.asarray(graph.sum(axis=1)).ravel() + 1e-9 * weight.mean()
    basis = antisymmetric[:, :30]
    cut = basis.T @ (degree[:, None] * basis - graph @ basis)
    _, mixed = linalg.eigh((cut + cut.T) / 2, basis.T @ (degree[:, None] * basis))
    side = np.sign(basis @ mixed[:, 0])
    for _ in range(30):  # let neighbours agree, the sides staying opposite
        side = graph @ side / degree
        side = np.clip(3 * (side - side[twin]) / 2, -1, 1)
    return np.asarray(side)
