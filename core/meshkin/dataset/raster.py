"""What each pixel's center sees of triangles, computed with NumPy alone: exact, and the same in every Blender."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import Floats, expand
from .camera import PinholeCamera

NEAR = 1e-4
"""Nearest depth that is seen, in sizes of the picture's plane at depth 1; Blender units for a usual camera. Chosen."""


@dataclass(frozen=True)
class Fragments:
    """All pixel centers that triangles cover, also those behind others.

    Attributes:
        pixel: int64 (P,), row times width plus column.
        face: int64 (P,), the triangle.
        depth: float64 (P,), along the camera's axis.
    """

    pixel: NDArray[np.int64]
    face: NDArray[np.int64]
    depth: Floats

    def nearest(self, pixels: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The triangle that each of so many pixels shows, int32, -1 for none, and its depth, float32, inf for none."""
        face, depth = np.full(pixels, -1, np.int32), np.full(pixels, np.inf, np.float32)
        order = np.argsort(-self.depth, kind="stable")  # the nearest is written last
        face[self.pixel[order]] = self.face[order]
        depth[self.pixel[order]] = self.depth[order]
        return face, depth


def fragments(camera: PinholeCamera, corners: Floats, near: float = NEAR) -> Fragments:
    """Cover the pixels of a camera's picture with triangles.

    A pixel belongs to a triangle if its center does; of two triangles with a common edge, to one of them alone.

    Args:
        camera: whose picture it is.
        corners: float64 (F, 3, 3), the triangles in the camera's frame.
        near: depth from which on they are seen.
    """
    shown, face = _clipped(corners, near)
    places = (shown / shown[:, :, 2:]) @ camera.matrix[:2].T
    outside = np.logical_or((places < 0).all(axis=1), (places > (camera.width, camera.height)).all(axis=1))
    keep = ~np.any(outside, axis=1)
    places, face = places[keep], face[keep]
    triangle, row, left, right = _spans(places, camera.width, camera.height)
    which, step = expand(right - left)
    column = step + left[which]
    face, row = face[triangle[which]], row[which]
    plane = _inverse_depths(camera, corners)[face]
    inverse = plane[:, 0] * (column + 0.5) + plane[:, 1] * (row + 0.5) + plane[:, 2]
    seen = inverse > 0
    return Fragments((row * camera.width + column)[seen], face[seen], 1 / inverse[seen])


def barycentric(
    camera: PinholeCamera, corners: Floats, pixel: NDArray[np.integer], face: NDArray[np.integer]
) -> Floats:
    """Barycentric coordinates (P, 3) of pixel centers in their triangles (F, 3, 3) of the camera's frame."""
    row, column = np.divmod(pixel, camera.width)
    ray = np.column_stack((column + 0.5, row + 0.5, np.ones(len(pixel)))) @ np.linalg.inv(camera.matrix).T
    a, b, c = np.moveaxis(corners[face], 1, 0)
    weights = np.stack([np.einsum("pd,pd->p", ray, np.cross(p, q)) for p, q in ((b, c), (c, a), (a, b))], axis=1)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.full_like(weights, 1 / 3), where=total != 0)
    weights = np.clip(weights, 0, None)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny))


def _inverse_depths(camera: PinholeCamera, corners: Floats) -> Floats:
    """Coefficients (F, 3): the inverse depth of a triangle's plane at (x, y) is ``a x + b y + c``."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    offset = np.einsum("fd,fd->f", normal, corners[:, 0])
    scaled = np.divide(normal, offset[:, None], out=np.zeros_like(normal), where=offset[:, None] != 0)
    return np.asarray(scaled @ np.linalg.inv(camera.matrix))


def _clipped(corners: Floats, near: float) -> tuple[Floats, NDArray[np.int64]]:
    """What of the triangles lies beyond the near plane, (G, 3, 3), and the triangle that each is of, (G,)."""
    behind = corners[:, :, 2] < near
    count = behind.sum(axis=1)
    whole = np.flatnonzero(count == 0)
    parts, faces = [corners[whole]], [whole]
    for amount in (1, 2):
        which = np.flatnonzero(count == amount)
        # The corner that is alone on its side comes first.
        first = (behind[which] == (amount == 1)).argmax(axis=1)
        alone, second, third = (corners[which, (first + step) % 3] for step in range(3))
        to_second, to_third = _at_depth(alone, second, near), _at_depth(alone, third, near)
        pieces = (
            [(to_second, second, third), (to_second, third, to_third)]
            if amount == 1
            else [(alone, to_second, to_third)]
        )
        for piece in pieces:
            parts.append(np.stack(piece, axis=1))
            faces.append(which)
    return np.concatenate(parts), np.concatenate(faces)


def _at_depth(one: Floats, other: Floats, depth: float) -> Floats:
    """Where the lines from some points (N, 3) to others reach a depth, (N, 3)."""
    share = (depth - one[:, 2]) / (other[:, 2] - one[:, 2])
    points: Floats = one + share[:, None] * (other - one)
    points[:, 2] = depth
    return points


def _spans(
    places: Floats, width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The runs of pixels in rows that triangles (G, 3, 2) of the picture cover: triangle, row, first column, and the
    column behind the last, (S,) each."""
    low, high = places[:, :, 1].min(axis=1), places[:, :, 1].max(axis=1)
    first = np.ceil(np.clip(low - 0.5, 0, height)).astype(np.int64)
    end = np.ceil(np.clip(high - 0.5, 0, height)).astype(np.int64)
    triangle, step = expand(np.maximum(end - first, 0))
    row = step + first[triangle]
    y = row + 0.5
    left, right = np.full(len(row), np.inf), np.full(len(row), -np.inf)
    for corner in range(3):
        (xa, ya), (xb, yb) = places[triangle, corner].T, places[triangle, (corner + 1) % 3].T
        crosses = (ya <= y) != (yb <= y)
        x = xa + (y - ya) * np.divide(xb - xa, yb - ya, out=np.zeros_like(xa), where=crosses)
        left, right = np.where(crosses, np.minimum(left, x), left), np.where(crosses, np.maximum(right, x), right)
    begin = np.ceil(np.clip(left - 0.5, 0, width)).astype(np.int64)
    behind = np.ceil(np.clip(right - 0.5, 0, width)).astype(np.int64)
    some = behind > begin
    return triangle[some], row[some], begin[some], behind[some]
