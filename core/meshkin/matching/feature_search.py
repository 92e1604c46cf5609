"""Search by features: the most similar vertex of a surface, then the most similar point on the triangles around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import SIMILARITY_BLOCK, Integers, blocks, expand
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import vertex_normals

GATHER_BLOCK = 1 << 15
"""Most triangles' or neighborhoods' features gathered at a time. Chosen: some MiB for features of 100 channels."""
NEIGHBORS = 12
"""Nearest neighbors in space that a step of :func:`local_search` compares. Chosen."""
MOST_SEARCH_STEPS = 64
"""Steps after which :func:`local_search` ends, if rounding errors on a plateau keep it going. Chosen."""
BISECTIONS = 16
"""Halvings of the range in which :func:`sample_evenly` looks for the cell size. Chosen."""

FeatureRows = NDArray[np.float32]


def most_similar(
    queries: FeatureRows,
    references: FeatureRows,
    points: NDArray[np.floating],
    radius: float,
    report: ProgressCallback = silent,
    stage: str = "Matching",
) -> tuple[Integers, FeatureRows, FeatureRows]:
    """Find the most similar reference of each query; exact, in blocks of bounded memory.

    Args:
        queries: float32 (Q, C), unit rows.
        references: float32 (R, C), unit rows.
        points: (R, 3), position of each reference.
        radius: size of a neighborhood, in the unit of ``points``.
        report: is told the share that is done; may raise Cancelled.
        stage: name of the stage that is reported.

    Returns:
        The index of the best reference, int64 (Q,), its cosine, float32 (Q,), and the largest cosine of any reference
        farther than ``radius`` from it, float32 (Q,), -1 where there is no such reference.
    """
    centered = np.asarray(points - points.mean(axis=0), np.float32)
    squares = np.einsum("rd,rd->r", centered, centered)
    index = np.empty(len(queries), np.int64)
    best_cosine, rival_cosine = np.empty((2, len(queries)), np.float32)
    step = max(1, SIMILARITY_BLOCK // len(references))
    for start in range(0, len(queries), step):
        report(stage, start / len(queries))
        rows = slice(start, start + step)
        similarity = queries[rows] @ references.T
        best = similarity.argmax(axis=1)
        index[rows] = best
        best_cosine[rows] = np.take_along_axis(similarity, best[:, None], axis=1)[:, 0]
        # |x - y|^2 <= r^2 without the differences. The squares are small numbers because the points are centered.
        product = centered[best] @ centered.T
        product *= -2
        product += squares
        np.copyto(similarity, -1, where=product <= radius**2 - squares[best][:, None])
        rival_cosine[rows] = similarity.max(axis=1)
    return index, best_cosine, rival_cosine


def sample_evenly(vertices: NDArray[np.floating], faces: NDArray[np.integer], usable: Integers, count: int) -> Integers:
    """Pick at most ``count`` of the ``usable`` vertices, evenly over the surface: the first in each cell of a grid.

    A cell holds vertices that lie close together and whose normals point the same way, so that both sides of a thin
    part are kept. The size of the cells is found by bisection.

    Returns:
        int64 indices of vertices, ascending; all of ``usable`` if they are at most ``count``.
    """
    if len(usable) <= count:
        return usable
    normals = vertex_normals(vertices, faces)[usable]
    axis = np.abs(normals).argmax(axis=1)
    side = 2 * axis + (np.take_along_axis(normals, axis[:, None], axis=1)[:, 0] > 0)
    points = np.asarray(vertices, np.float64)[usable]
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0).max()

    def first_in_cells(cells_per_side: float) -> Integers:
        x, y, z = np.floor(points * cells_per_side).astype(np.int64).T
        stride = int(cells_per_side) + 2
        return np.unique(((x * stride + y) * stride + z) * 6 + side, return_index=True)[1]

    few, many = 1.0, float(count)
    for _ in range(BISECTIONS):
        middle = np.sqrt(few * many)
        few, many = (middle, many) if len(first_in_cells(middle)) <= count else (few, middle)
    return np.sort(usable[first_in_cells(few)[:count]])


def local_search(
    queries: FeatureRows, start: Integers, references: FeatureRows, points: NDArray[np.floating], usable: Integers
) -> tuple[Integers, FeatureRows]:
    """Go from each query's reference to the most similar of its neighbors in space, until none is more similar.

    This brings a match with a sample of the references to the full set of references.

    Args:
        queries: float32 (Q, C), unit rows.
        start: int64 (Q,), the reference from which each query starts.
        references: float32 (R, C), unit rows.
        points: (R, 3), position of each reference.
        usable: int64, indices of the references that may be an answer.

    Returns:
        The index of the reference, int64 (Q,), and its cosine, float32 (Q,).
    """
    count = min(NEIGHBORS + 1, len(usable))
    _, neighbors = cKDTree(points[usable]).query(points, k=count, workers=-1)
    neighbors = usable[np.reshape(neighbors, (len(points), count))]
    index = start.copy()
    best_cosine = np.einsum("qc,qc->q", queries, references[index])
    active = np.arange(len(queries))
    for _ in range(MOST_SEARCH_STEPS):  # each step strictly raises the cosine
        has_moved = np.zeros(len(active), bool)
        for block in blocks(np.full(len(active), count), GATHER_BLOCK * 3):
            rows = active[block]
            candidates = neighbors[index[rows]]
            similarity = np.einsum("qc,qkc->qk", queries[rows], references[candidates], optimize=False)
            choice = similarity.argmax(axis=1)[:, None]
            cosine = np.take_along_axis(similarity, choice, axis=1)[:, 0]
            better = cosine > best_cosine[rows]
            has_moved[block] = better
            index[rows[better]] = np.take_along_axis(candidates, choice, axis=1)[better, 0]
            best_cosine[rows[better]] = cosine[better]
        active = active[has_moved]
        if len(active) == 0:
            break
    return index, best_cosine


def precise_points(
    queries: FeatureRows, vertex: Integers, references: FeatureRows, faces: NDArray[np.integer]
) -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """Find the point on the triangles around a vertex whose interpolated feature is nearest to the query's.

    First the triangles around ``vertex`` are tried, then those around the heaviest other corner of the best triangle,
    so that the point may lie one triangle farther. (Precise maps: Ezuz and Ben-Chen, "Deblurring and Denoising of
    Maps between Shapes", 2017, section 4, here only in a neighborhood.)

    Args:
        queries: float32 (Q, C).
        vertex: int64 (Q,), each query's most similar reference, which must be a corner of a triangle.
        references: float32 (R, C).
        faces: int (F, 3), triangles of the references.

    Returns:
        The face, int64 (Q,), the barycentric coordinates in it, float64 (Q, 3), and the squared distance in feature
        space, float64 (Q,).
    """
    order = np.argsort(np.ravel(faces), kind="stable")
    face_counts = np.bincount(np.ravel(faces), minlength=len(references))
    first = np.cumsum(face_counts) - face_counts
    face = np.zeros(len(queries), np.int64)
    barycentric = np.zeros((len(queries), 3))
    least_square = np.full(len(queries), np.inf)
    center = np.asarray(vertex, np.int64)
    for _ in range(2):
        for block in blocks(face_counts[center], GATHER_BLOCK):
            rows, number = expand(face_counts[center[block]])
            candidates = order[first[center[block]][rows] + number] // 3
            weights, squares = nearest_on_triangles(queries[block][rows], references[faces[candidates]])
            lowest = np.minimum.reduceat(squares, np.flatnonzero(number == 0))
            entries = np.flatnonzero(squares == lowest[rows])
            chosen = entries[np.unique(rows[entries], return_index=True)[1]]
            better = lowest < least_square[block]
            face[block] = np.where(better, candidates[chosen], face[block])
            barycentric[block] = np.where(better[:, None], weights[chosen], barycentric[block])
            least_square[block] = np.where(better, lowest, least_square[block])
        corners = faces[face]
        other_weights = np.where(corners == center[:, None], -1, barycentric)
        center = np.take_along_axis(corners, other_weights.argmax(axis=1)[:, None], axis=1)[:, 0].astype(np.int64)
    return face, barycentric, least_square
