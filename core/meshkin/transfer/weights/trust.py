"""Where a map can be relied on for weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from ...data.surface_map import SurfaceMap
from ...geometry.mesh import edges, face_vectors, vertex_normals
from ...geometry.welding import weld

Floats = NDArray[np.float64]

JUMP = 2.5
"""An edge that the map makes this many times longer than others is torn."""
CROWD = 0.01
"""A trusted region of less than this share of its part's vertices is chance."""


def trusted(
    found: SurfaceMap,
    source: tuple[NDArray[np.floating], NDArray[np.integer]],
    target: tuple[NDArray[np.floating], NDArray[np.integer]],
    threshold: float,
    turned: float | None = None,
    torn: bool = True,
) -> NDArray[np.bool_]:
    """The target vertices whose point on the source can be relied on.

    Those of enough confidence at which the map keeps the surface's orientation, does not tear its edges, and that are
    not a small island among others.

    Args:
        found: the map; its confidence holds what the matcher knows: features, round trip, or nearness and normals.
        source, target: vertices (U, 3) and faces (F, 3); (V, 3) and (G, 3).
        threshold: least confidence.
        turned: least agreement in [-1, 1] of the mapped surface's normal with the source's; None not to look.
        torn: whether to look for tears.

    Returns:
        bool (V,).
    """
    points, faces = np.asarray(target[0], np.float64), target[1]
    mapped = found.pull(source[0], source[1])
    sound = found.confidence >= threshold
    if turned is not None:
        sound &= orientation(found, mapped, source, faces) >= turned
    first, place = weld(points)
    pairs = edges(place[faces])
    welded = np.bincount(place, ~sound, len(first)) == 0
    if torn:
        long = _stretch(points[first], mapped[first], pairs) > JUMP
        welded[pairs[long & welded[pairs].all(axis=1)].ravel()] = False
    kept = welded[pairs].all(axis=1)
    island = _parts(pairs[kept], len(first))
    part = _parts(pairs, len(first))
    crowd = np.bincount(island, welded)[island] / np.bincount(part)[part]
    result: NDArray[np.bool_] = (welded & (crowd >= CROWD))[place]
    return result


def orientation(
    found: SurfaceMap,
    mapped: Floats,
    source: tuple[NDArray[np.floating], NDArray[np.integer]],
    faces: NDArray[np.integer],
) -> Floats:
    """How far the surface around each target vertex, mapped, faces the way the source does there: (V,) in [-1, 1]."""
    vectors = face_vectors(mapped, faces)
    outward = found.pull(vertex_normals(*source), source[1])[faces].sum(axis=1)
    scale = np.linalg.norm(outward, axis=1)
    along = np.einsum("fd,fd->f", vectors, outward) / np.where(scale > 0, scale, 1)
    corners, count = faces.ravel(), len(mapped)
    total = np.bincount(corners, np.repeat(np.linalg.norm(vectors, axis=1), 3), count)
    share = np.bincount(corners, np.repeat(along, 3), count)
    return np.divide(share, total, out=np.zeros(count), where=total > 0)


def _stretch(points: Floats, mapped: Floats, pairs: NDArray[np.integer]) -> Floats:
    """How many times longer the map makes each edge, compared with what it makes of most; short ones are let off."""
    here = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    there = np.linalg.norm(mapped[pairs[:, 0]] - mapped[pairs[:, 1]], axis=1)
    if not len(pairs) or not here.any():
        return np.zeros(len(pairs))
    stretch = there / (here + 0.3 * float(np.median(here)) + 1e-30)
    return stretch / max(float(np.quantile(stretch, 0.6)), 1e-30)


def _parts(pairs: NDArray[np.integer], count: int) -> NDArray[np.int32]:
    graph = sparse.coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    parts: NDArray[np.int32] = csgraph.connected_components(graph, directed=False)[1]
    return parts
