"""A texture, carried through a map: sampled from the source's images, baked into the target's UV layout."""

from __future__ import annotations

from collections.abc import Sequence

import igl
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..features.surface import face_vectors, vertex_normals
from ..matching.geometry import (
    Floats,
    Integers,
    nearest_on_triangles,
    surface_area,
    unit_rows,
)
from ..progress import Report, silent
from ..snapshot import Snapshot
from ..surface_map import Match, SurfaceMap
from .texels import dilate, texel_map

BLOCK = 1 << 19
"""Most texels sampled at a time."""
STRETCH = 3.0
"""A mapped triangle whose edges grow by more than this (and by more than :data:`GAP`) is torn."""
GAP = 0.05
"""In square roots of the source's area."""

Image = tuple[int, NDArray[np.float32]]
"""Material slot, and pixels float32 (H, W, 4), row 0 at the top."""


def transfer_texture(
    images: Sequence[Image],
    source: Snapshot,
    target: Snapshot,
    match: Match,
    size: int,
    margin: int,
    report: Report = silent,
) -> NDArray[np.float32]:
    """Bake the source's images into the target's UV layout.

    Each texel's point on the target is carried to the source by :func:`carry`, and its colour taken from the image of
    the material slot there, at the UV inside that one triangle, bilinearly, repeating outside [0, 1]. Values stay as
    they are in the image: no colour conversion.

    Args:
        images: one for each material slot of the source that has one; texels from other slots stay 0.
        source, target: the two shapes, with UVs.
        match: their map.
        size: width and height of the result, pixels.
        margin: pixels by which islands are grown beyond their borders.
        report: told what is being done; may raise Cancelled.

    Returns:
        float32 (size, size, 4), row 0 at the top; 0 where no island or margin is.

    Raises:
        InputError: ``no-uvs``, ``image-empty``, ``map-other-mesh`` (the map is not of these two), and as
            :func:`meshkin.transfer.texels.texel_map`.
    """
    source_uvs, target_uvs = _uvs(source), _uvs(target)
    for _, image in images:
        if image.ndim != 3 or image.shape[2] != 4 or image.size == 0:
            raise InputError("image-empty", "An image of the source has no pixels.", "Reload or replace the image.")
    if (
        len(match.to_source.face) != len(target.vertices)
        or len(match.target_faces) != len(target.faces)
        or not np.array_equal(match.source_faces, source.faces)
    ):
        raise InputError("map-other-mesh", "The map belongs to other meshes.", "Match the objects again.")
    texels = texel_map(target_uvs, size, report)
    covered = np.flatnonzero(texels.covered)
    face, barycentric = texels.face.ravel(), texels.barycentric.reshape(-1, 3)
    result = np.zeros((size * size, 4), np.float32)
    carrier = Carrier(source, target, match.to_source)
    for start in range(0, len(covered), BLOCK):
        report("Sampling the texture", start / len(covered))
        part = covered[start : start + BLOCK]
        there, weights = carrier.carry(face[part], barycentric[part])
        places = np.einsum("nk,nkd->nd", weights, source_uvs[there])
        slots = source.materials[there]
        for slot, image in images:
            here = slots == slot
            result[part[here]] = sample(image, places[here])
    report("Growing the islands", 0)
    pixels = result.reshape(size, size, 4)
    dilate(pixels, texels.covered, margin)
    return pixels


def sample(pixels: NDArray[np.float32], uvs: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bilinear samples of an image that repeats in both directions.

    Args:
        pixels: float32 (H, W, C), row 0 at the top, where v = 1.
        uvs: (N, 2).

    Returns:
        float32 (N, C).
    """
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height * width, -1)
    x, y = uvs[:, 0] % 1 * width - 0.5, (1 - uvs[:, 1]) % 1 * height - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right_share, bottom_share = ((x - left).astype(np.float32), (y - top).astype(np.float32))
    result = np.zeros((len(uvs), flat.shape[1]), np.float32)
    for down, row_share in ((0, 1 - bottom_share), (1, bottom_share)):
        for right, column_share in ((0, 1 - right_share), (1, right_share)):
            texel = (top + down) % height * width + (left + right) % width
            result += flat[texel] * (row_share * column_share)[:, None]
    return result


class Carrier:
    """Carries points inside the target's triangles to the source's surface.

    Between three corners the map is taken to be straight: the corners' points on the source are interpolated, and the
    result brought back to the nearest point of the source's surface that faces the same way. A triangle torn apart by
    the map is not drawn through the body: all of it goes where its most confident corner goes.
    """

    def __init__(self, source: Snapshot, target: Snapshot, to_source: SurfaceMap) -> None:
        self.vertices = source.vertices.astype(np.float64)
        self.faces = source.faces
        self.target_faces = target.faces
        self.map = to_source
        self.points = to_source.pull(self.vertices, source.faces)
        self.facing = to_source.pull(vertex_normals(self.vertices, source.faces), source.faces)
        normals = face_vectors(self.vertices, source.faces)
        # Triangles without an area have no side and often no sensible UVs; their edges belong to others as well.
        self.solid = np.flatnonzero(normals.any(axis=1))
        self.solid_faces = source.faces[self.solid].astype(np.int64)
        self.normals = unit_rows(normals)
        a, b, c = self.vertices[source.faces].transpose(1, 0, 2)
        squares = np.maximum(np.einsum("fd,fd->f", normals, normals), 1e-300)[:, None]
        self.rises = np.cross(c - a, normals) / squares, np.cross(normals, b - a) / squares
        corners = target.faces
        before = _longest_edge(target.vertices.astype(np.float64)[corners])
        after = _longest_edge(self.points[corners])
        size = np.sqrt(surface_area(source.vertices, source.faces))
        growth = size / np.sqrt(surface_area(target.vertices, target.faces))
        self.torn = after > STRETCH * growth * before + GAP * size
        best = to_source.confidence[corners].argmax(axis=1)[:, None]
        self.anchor = np.take_along_axis(corners, best, axis=1)[:, 0]

    def carry(self, face: NDArray[np.integer], barycentric: NDArray[np.floating]) -> tuple[Integers, Floats]:
        """The points' triangles on the source, int64 (N,), and barycentric coordinates there, float64 (N, 3).

        Args:
            face: (N,), triangles of the target.
            barycentric: (N, 3), where in them.
        """
        corners = self.target_faces[face]
        points = _blend(barycentric, self.points, corners)
        _, found, nearest = igl.point_mesh_squared_distance(points, self.vertices, self.solid_faces)
        there = self.solid[found]
        weights = self._weights(there, nearest)
        facing = np.einsum("nd,nd->n", _blend(barycentric, self.facing, corners), self.normals[there])
        averse = np.flatnonzero(facing < 0)
        tried = self._nearest_corner_face(points[averse], corners[averse])
        there[averse] = tried
        weights[averse], _ = nearest_on_triangles(points[averse], self.vertices[self.faces[tried]])
        torn = np.flatnonzero(self.torn[face])
        anchor = self.anchor[face[torn]]
        there[torn], weights[torn] = self.map.face[anchor], self.map.barycentric[anchor]
        return there, weights

    def _weights(self, face: Integers, points: Floats) -> Floats:
        """Barycentric coordinates, float64 (N, 3), of points that lie in these triangles of the source."""
        offsets = points - self.vertices[self.faces[face, 0]]
        second, third = (np.einsum("nd,nd->n", offsets, rise[face]) for rise in self.rises)
        weights = np.maximum(np.stack([1 - second - third, second, third], axis=1), 0)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def _nearest_corner_face(self, points: Floats, corners: NDArray[np.integer]) -> Integers:
        """Of the triangles that the three corners map into, the nearest to each point."""
        tried = self.map.face[corners]
        squares = [nearest_on_triangles(points, self.vertices[self.faces[tried[:, k]]])[1] for k in range(3)]
        least = np.argmin(squares, axis=0)[:, None]
        return np.take_along_axis(tried, least, axis=1)[:, 0].astype(np.int64)


def _blend(weights: NDArray[np.floating], values: Floats, corners: NDArray[np.integer]) -> Floats:
    """Values of three corners, mixed: float64 (N, D) of weights (N, 3), values (V, D) and corners (N, 3)."""
    mixed = np.zeros((len(weights), values.shape[1]))
    for k in range(3):
        mixed += weights[:, k, None] * values[corners[:, k]]
    return mixed


def _longest_edge(corners: Floats) -> Floats:
    return np.asarray(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1))


def _uvs(shape: Snapshot) -> NDArray[np.float32]:
    if shape.uvs is None:
        raise InputError("no-uvs", f"“{shape.name}” has no UV map.", "Unwrap it first (UV > Smart UV Project).")
    return np.nan_to_num(shape.uvs, nan=0, posinf=0, neginf=0)
