"""From the cells of a photograph to its pixels: a point of the surface for each pixel of the object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, Singles
from ...geometry.closest_points import closest_points
from .cell_matching import CellMatch
from .photograph import Cells


def densify(
    cells: Cells,
    inside: NDArray[np.bool_],
    match: CellMatch,
    mask: NDArray[np.bool_],
    shape: Snapshot,
    smooth_distance: float,
) -> tuple[NDArray[np.int32], Singles, Singles]:
    """Find the point of the surface that each pixel of the object shows.

    A pixel takes the weighted mean of the points of the four cells around it, without those far from the point of its
    own cell, projected to the surface. Pixels of the object outside its cells take the nearest cell's point.

    Args:
        cells: the frame.
        inside: bool (n, n), the cells of the object.
        match: the point of each of these cells, in order.
        mask: bool (H, W), the object.
        shape: the surface.
        smooth_distance: distance within which points are averaged, in diagonals of the bounding box.

    Returns:
        ``face`` (H, W), ``barycentric`` (H, W, 3) and ``confidence`` (H, W), as in
        :class:`meshkin.data.photo_map.PhotoMap`.
    """
    points, pixel_confidence = _interpolate(cells, inside, match, mask, shape, smooth_distance)
    closest = closest_points(points, shape.vertices, shape.faces)
    face = np.full(mask.shape, -1, np.int32)
    face[mask] = closest.face
    barycentric, confidence = np.zeros((*mask.shape, 3), np.float32), np.zeros(mask.shape, np.float32)
    barycentric[mask] = closest.barycentric
    confidence[mask] = np.clip(pixel_confidence, 0, 1)
    return face, barycentric, confidence


def _interpolate(
    cells: Cells,
    inside: NDArray[np.bool_],
    match: CellMatch,
    mask: NDArray[np.bool_],
    shape: Snapshot,
    smooth_distance: float,
) -> tuple[Floats, Floats]:
    """Return the mean point (P, 3) and confidence (P,) of the cells around each of the object's pixels, in order."""
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(len(match.vertex))
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    number = number[tuple(nearest)]
    last = cells.count - 1

    def cell_at(row: Floats, column: Floats) -> NDArray[np.int64]:
        """Return the number of the object's cell at, or nearest to, a row and column of the grid."""
        return number[np.clip(row, 0, last).astype(int), np.clip(column, 0, last).astype(int)]

    row, column = cells.at_pixels((mask.shape[0], mask.shape[1]))[:, mask]
    points = match.points
    own_cell = cell_at(np.round(row), np.round(column))
    far = smooth_distance * float(np.linalg.norm(np.ptp(shape.vertices, axis=0)))
    weight_sum, point_sum, confidence_sum = np.zeros(len(row)), np.zeros((len(row), 3)), np.zeros(len(row))
    for down in (0, 1):
        for right in (0, 1):
            cell_row, cell_column = np.floor(row) + down, np.floor(column) + right
            cell = cell_at(cell_row, cell_column)
            weight = np.maximum(1 - np.abs(row - cell_row), 0) * np.maximum(1 - np.abs(column - cell_column), 0)
            weight = (weight + 1e-9) * (np.linalg.norm(points[cell] - points[own_cell], axis=1) < far)
            weight_sum += weight
            point_sum += weight[:, None] * points[cell]
            confidence_sum += weight * match.confidence[cell]
    return point_sum / weight_sum[:, None], confidence_sum / weight_sum
