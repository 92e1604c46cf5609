"""Points found on a surface by walking from triangle to triangle, so that they stay on their side of a thin part."""

from __future__ import annotations

import numpy as np

from .adjacency import opposite_triangles
from .arrays import AnyIntegers, Floats, Integers, ShortIntegers, Singles
from .closest_points import nearest_on_triangles
from .mesh import face_vectors
from .welding import place_numbers

MOST_TRIANGLES_PASSED = 48
"""Most triangles that a walk passes. Chosen."""
OUTSIDE = -1e-5
"""A point with a barycentric coordinate below this lies outside of the triangle. Chosen, above float32's errors."""


class SurfaceWalker:
    """Walks over a surface towards points near it."""

    def __init__(self, vertices: Floats, faces: AnyIntegers) -> None:
        """Prepare the triangles.

        Args:
            vertices: float64 (V, 3), centered at the origin, since the walk computes in single precision.
            faces: (F, 3).
        """
        self._vertices, self._faces = vertices, faces
        self._functions = _coordinate_functions(vertices, faces)
        self._neighbors = opposite_triangles(place_numbers(vertices)[faces]).astype(np.int32)

    def walk(self, points: Singles, start: ShortIntegers) -> tuple[ShortIntegers, Singles, Singles]:
        """Walk to each point from a triangle, across the edge beyond which the point lies farthest.

        Args:
            points: float32 (N, 3).
            start: int32 (N,), the triangle where each walk begins.

        Returns:
            the triangle where each walk ends, int32 (N,); the barycentric coordinates there of the point's projection,
            float32 (N, 3); and how far the point is from it, float32 (N,): the signed height above the plane, or the
            distance where the point lies beyond an edge that the walk could not cross. Not a number where the triangle
            has no area.
        """
        face = start.copy()
        weights, height = np.empty((len(points), 3), np.float32), np.empty(len(points), np.float32)
        active: Integers | slice = slice(None)
        previous = np.full(len(points), -1, np.int32)
        for _ in range(MOST_TRIANGLES_PASSED):
            here, came_from, place = face[active], previous[active], points[active]
            rows = self._functions[here]
            second, third, above = (
                rows[:, k] * place[:, 0] + rows[:, k + 1] * place[:, 1] + rows[:, k + 2] * place[:, 2] + rows[:, k + 3]
                for k in (0, 4, 8)
            )
            first = 1 - second - third
            weights[active], height[active] = np.stack([first, second, third], axis=1), above
            lowest = np.minimum(np.minimum(first, second), third)
            side = np.where(first == lowest, 0, np.where(second == lowest, 1, 2))
            onward = self._neighbors[here, side]
            go = np.flatnonzero((lowest < OUTSIDE) & (onward >= 0) & (onward != came_from))
            if not len(go):
                break
            active = go if isinstance(active, slice) else active[go]
            previous[active], face[active] = here[go], onward[go]
        lowest = np.minimum(np.minimum(weights[:, 0], weights[:, 1]), weights[:, 2])
        beyond = np.flatnonzero(~(lowest >= OUTSIDE))  # past a border or an edge or corner that sticks out
        if len(beyond):
            height[beyond], weights[beyond] = self._nearest(points[beyond], face[beyond], height[beyond])
        np.maximum(weights, 0, out=weights)
        weights /= (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
        return face, weights, height

    def _nearest(self, points: Singles, face: ShortIntegers, height: Singles) -> tuple[Singles, Singles]:
        """Distance (N,) to the nearest point of each triangle, and its coordinates; nan distances where heights are."""
        nearest, squares = nearest_on_triangles(points.astype(np.float64), self._vertices[self._faces[face]])
        distance = np.where(np.isnan(height), np.nan, np.sqrt(squares))
        return distance.astype(np.float32), nearest.astype(np.float32)


def _coordinate_functions(vertices: Floats, faces: AnyIntegers) -> Singles:
    """Three affine functions of a point for each triangle, float32 (F, 12): the second and the third barycentric
    coordinate and the height above the plane, four coefficients each; the height is nan for a triangle without area."""
    normals = face_vectors(vertices, faces)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    squares = np.einsum("fd,fd->f", normals, normals)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        second, third = np.cross(c - a, normals) / squares, np.cross(normals, b - a) / squares
        up = normals / np.sqrt(squares)
    rises = np.stack([second, third, up], axis=1)
    offsets = -np.einsum("fkd,fd->fk", rises, a)[:, :, None]
    return np.concatenate([rises, offsets], axis=2, dtype=np.float32).reshape(-1, 12)
