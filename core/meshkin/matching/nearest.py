"""Nearest neighbors among features: first vertex to vertex, then to the points between the vertices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import blocks, expand
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import vertex_normals

BLOCK = 1 << 23
"""Most similarities held at a time."""
PAIRS = 1 << 15
"""Most feature triples (or neighborhoods) gathered at a time."""
NEIGHBORS = 12
"""Neighbors in space that the climb looks at."""

Features = NDArray[np.float32]
Indices = NDArray[np.int64]


def nearest(
    queries: Features,
    references: Features,
    places: NDArray[np.floating],
    radius: float,
    report: ProgressCallback = silent,
    stage: str = "Matching",
) -> tuple[Indices, Features, Features]:
    """The most similar reference of each query, exactly, in blocks of bounded memory.

    Args:
        queries: float32 (Q, C), unit rows.
        references: float32 (R, C), unit rows.
        places: (R, 3), where each reference lies.
        radius: size of a neighborhood, in the unit of ``places``.
        report: told the share done; may raise Cancelled.
        stage: what is reported.

    Returns:
        index int64 (Q,); its cosine float32 (Q,); the best cosine farther than ``radius`` from it, float32 (Q,), -1
        where nothing is.
    """
    centerd = np.asarray(places - places.mean(axis=0), np.float32)
    squares = np.einsum("rd,rd->r", centerd, centerd)
    index = np.empty(len(queries), np.int64)
    best, rival = np.empty((2, len(queries)), np.float32)
    step = max(1, BLOCK // len(references))
    for start in range(0, len(queries), step):
        report(stage, start / len(queries))
        part = slice(start, start + step)
        similarity = queries[part] @ references.T
        found = similarity.argmax(axis=1)
        index[part] = found
        best[part] = np.take_along_axis(similarity, found[:, None], axis=1)[:, 0]
        # |x - y|^2 <= r^2 without the differences: the squares are small numbers here, places being centerd.
        product = centerd[found] @ centerd.T
        product *= -2
        product += squares
        np.copyto(similarity, -1, where=product <= radius**2 - squares[found][:, None])
        rival[part] = similarity.max(axis=1)
    return index, best, rival


def spread(vertices: NDArray[np.floating], faces: NDArray[np.integer], usable: Indices, count: int) -> Indices:
    """At most ``count`` of the ``usable`` vertices, evenly over the surface: the first in each cell of a grid.

    The grid counts where a vertex lies and which way it faces, so that both sides of a thin part are kept. The cell
    size is found by bisection. Returns int64 indices, ascending; all of ``usable`` where they are few enough.
    """
    if len(usable) <= count:
        return usable
    facing = vertex_normals(vertices, faces)[usable]
    axis = np.abs(facing).argmax(axis=1)
    side = 2 * axis + (np.take_along_axis(facing, axis[:, None], axis=1)[:, 0] > 0)
    places = np.asarray(vertices, np.float64)[usable]
    places = (places - places.min(axis=0)) / np.ptp(places, axis=0).max()

    def thinned(cells: float) -> Indices:
        x, y, z = np.floor(places * cells).astype(np.int64).T
        stride = int(cells) + 2
        return np.unique(((x * stride + y) * stride + z) * 6 + side, return_index=True)[1]

    few, many = 1.0, float(count)
    for _ in range(16):
        middle = np.sqrt(few * many)
        few, many = (middle, many) if len(thinned(middle)) <= count else (few, middle)
    return np.sort(usable[thinned(few)[:count]])


def climb(
    queries: Features, start: Indices, references: Features, places: NDArray[np.floating], usable: Indices
) -> tuple[Indices, Features]:
    """From each query's reference go to its most similar neighbor in space, until there is none more similar.

    This brings a match found on a sample to the full set of references.

    Args:
        queries: float32 (Q, C), unit rows.
        start: int64 (Q,), each query's reference found so far.
        references: float32 (R, C), unit rows.
        places: (R, 3), where each reference lies.
        usable: int64, the references that may be taken.

    Returns:
        index int64 (Q,) and its cosine float32 (Q,).
    """
    count = min(NEIGHBORS + 1, len(usable))
    _, near = cKDTree(places[usable]).query(places, k=count, workers=-1)
    near = usable[np.reshape(near, (len(places), count))]
    index = start.copy()
    best = np.einsum("qc,qc->q", queries, references[index])
    active = np.arange(len(queries))
    # Each step strictly raises the cosine, so this ends; the bound is for plateaus of rounding errors.
    for _ in range(64):
        moved = np.zeros(len(active), bool)
        for part in blocks(np.full(len(active), count), PAIRS * 3):
            rows = active[part]
            around = near[index[rows]]
            similarity = np.einsum("qc,qkc->qk", queries[rows], references[around], optimize=False)
            choice = similarity.argmax(axis=1)[:, None]
            value = np.take_along_axis(similarity, choice, axis=1)[:, 0]
            up = value > best[rows]
            moved[part] = up
            index[rows[up]] = np.take_along_axis(around, choice, axis=1)[up, 0]
            best[rows[up]] = value[up]
        active = active[moved]
        if len(active) == 0:
            break
    return index, best


def precise(
    queries: Features, vertex: Indices, references: Features, faces: NDArray[np.integer]
) -> tuple[Indices, NDArray[np.float64], NDArray[np.float64]]:
    """The point on the triangles around a vertex whose interpolated feature is nearest to the query's.

    After the triangles around ``vertex``, those around the second corner of the best one are tried, so that the point
    may lie one triangle farther. (Precise maps: Ezuz and Ben-Chen, "Deblurring and Denoising of Maps between Shapes",
    2017, section 4, restricted to a neighborhood.)

    Args:
        queries: float32 (Q, C).
        vertex: int64 (Q,), each query's most similar reference, which must have a triangle.
        references: float32 (R, C).
        faces: int (F, 3), triangles of the references.

    Returns:
        face int64 (Q,), barycentric float64 (Q, 3), squared feature distance float64 (Q,).
    """
    order = np.argsort(np.ravel(faces), kind="stable")
    counts = np.bincount(np.ravel(faces), minlength=len(references))
    first = np.cumsum(counts) - counts
    face = np.zeros(len(queries), np.int64)
    weights = np.zeros((len(queries), 3))
    least = np.full(len(queries), np.inf)
    center = np.asarray(vertex, np.int64)
    for _ in range(2):
        for part in blocks(counts[center], PAIRS):
            rows, number = expand(counts[center[part]])
            tried = order[first[center[part]][rows] + number] // 3
            found, squares = nearest_on_triangles(queries[part][rows], references[faces[tried]])
            begins = np.flatnonzero(number == 0)
            lowest = np.minimum.reduceat(squares, begins)
            entries = np.flatnonzero(squares == lowest[rows])
            chosen = entries[np.unique(rows[entries], return_index=True)[1]]
            better = lowest < least[part]
            face[part] = np.where(better, tried[chosen], face[part])
            weights[part] = np.where(better[:, None], found[chosen], weights[part])
            least[part] = np.where(better, lowest, least[part])
        corners = faces[face]
        elsewhere = np.where(corners == center[:, None], -1, weights)
        center = np.take_along_axis(corners, elsewhere.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.int64)
    return face, weights, least
