"""Tangent frames of a UV layout, and the directions of a normal map in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...geometry.arrays import Floats, Singles, unit_rows
from ...geometry.welding import place_numbers


def corner_tangents(
    vertices: NDArray[np.floating], faces: NDArray[np.integer], normals: NDArray[np.floating], uvs: NDArray[np.floating]
) -> Singles:
    """The tangent at each triangle corner and the bitangent's sign, float32 (F, 3, 4), as MikkTSpace computes them.

    Triangles' tangents (the direction in which u grows) are averaged, weighted by angle, over the corners that share
    place, normal, UV and handedness, and made perpendicular to the normal; the bitangent is sign * normal x tangent.
    Source: Mikkelsen 2008, "Simulation of Wrinkled Surfaces Revisited", and mikktspace.c.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        normals: (F, 3, 3), unit shading normals at the corners.
        uvs: (F, 3, 2) at the corners.
    """
    corners = np.asarray(vertices, np.float64)[faces]
    exact = np.asarray(normals, np.float64)
    edges, steps = corners[:, 1:] - corners[:, :1], np.asarray(uvs, np.float64)[:, 1:] - np.asarray(uvs)[:, :1]
    turn = steps[:, 0, 0] * steps[:, 1, 1] - steps[:, 0, 1] * steps[:, 1, 0]
    sign = np.where(turn < 0, -1.0, 1.0)
    along = unit_rows(edges[:, 0] * steps[:, 1, 1, None] - edges[:, 1] * steps[:, 0, 1, None]) * sign[:, None]
    along[np.abs(turn) < 1e-30] = 0
    flat = along[:, None] - np.einsum("fkd,fd->fk", exact, along)[..., None] * exact
    weighted = unit_rows(flat) * _angles(corners, exact)[..., None]
    key = np.concatenate([corners, exact, uvs, np.broadcast_to(sign[:, None, None], (len(faces), 3, 1))], axis=2)
    group = place_numbers(key.reshape(-1, 9))
    sums = np.stack([np.bincount(group, weighted[..., d].ravel()) for d in range(3)], axis=1)
    shared = sums[group].reshape(-1, 3, 3)
    shared = shared - np.einsum("fkd,fkd->fk", shared, exact)[..., None] * exact
    lost = np.flatnonzero((np.abs(shared).max(axis=2) < 1e-12).any(axis=1))
    if len(lost):  # no direction in the layout: any that is perpendicular
        helper = np.eye(3)[np.abs(exact[lost]).argmin(axis=2)]
        shared[lost] = np.cross(exact[lost], helper)
    return np.concatenate(
        [unit_rows(shared), np.broadcast_to(sign[:, None, None], (len(faces), 3, 1))], axis=2, dtype=np.float32
    )


def corner_frames(normals: NDArray[np.floating], tangents: Singles) -> Singles:
    """Tangent and bitangent at each triangle corner, float32 (F, 3, 6).

    Args:
        normals: (F, 3, 3), unit shading normals at the corners.
        tangents: (F, 3, 4), of :func:`corner_tangents`.
    """
    tangent, sign = tangents[..., :3], tangents[..., 3:]
    return np.concatenate([tangent, sign * np.cross(normals, tangent)], axis=2, dtype=np.float32)


def interpolated(corners: Singles, face: NDArray[np.integer], weights: Singles) -> Singles:
    """Values at triangle corners (F, 3, C) interpolated at points of the surface, float32 (N, C): in triangles (N,) at
    barycentric weights (N, 3)."""
    column = 3 * face[:, None].astype(np.int32) + np.arange(3, dtype=np.int32)
    ends = np.arange(0, column.size + 1, 3, dtype=np.int32)
    mixing = csr_array((weights.ravel(), column.ravel(), ends), shape=(len(face), 3 * len(corners)))
    return np.asarray(mixing @ corners.reshape(-1, corners.shape[2]))


def turned_normals(normals: Singles, source: Singles, target: Singles) -> Singles:
    """Tangent-space normals of the source in the target's tangent space, unit float32 (N, 3).

    The map's rotation between the two tangent planes is the orthogonal matrix nearest to its differential there; what
    a normal leans along the surface is turned by it.

    Args:
        normals: float32 (N, 3), in the source's tangent space.
        source: float32 (N, 6), the source's tangent and bitangent at each point.
        target: float32 (N, 6), the vectors on the source that the map carries the target's tangent and bitangent to.
    """
    tt, tb, bt, bb = (
        source[:, i] * target[:, j] + source[:, i + 1] * target[:, j + 1] + source[:, i + 2] * target[:, j + 2]
        for i in (0, 3)
        for j in (0, 3)
    )
    # Nearest rotation, or reflection where the frames' handedness or the map make it one.
    flip = np.where(tt * bb - tb * bt < 0, np.float32(-1), np.float32(1))
    cosine, sine = tt + flip * bb, bt - flip * tb
    length = np.hypot(cosine, sine)
    known = length > 1e-20
    cosine = np.divide(cosine, length, out=np.ones_like(cosine), where=known)
    sine = np.divide(sine, length, out=np.zeros_like(sine), where=known)
    x, y, z = normals.T
    result = np.stack([cosine * x + sine * y, flip * (cosine * y - sine * x), z], axis=1)
    return np.asarray(result / np.maximum(np.sqrt(x * x + y * y + z * z), 1e-20)[:, None], np.float32)


def to_deviation(values: Singles, frame: Singles) -> Singles:
    """The deviation of a normal map from the surface's own normals, float32 (N, 3), within [-1, 1].

    It is half the difference, in object space, between the map's unit normal and the surface's unit normal. On the two
    sides of a seam of the UV layout the deviations are the same where the surface looks the same, so deviations can be
    compared and interpolated across seams.

    Args:
        values: float32 (N, 3), within [0, 1], as a picture holds tangent-space normals.
        frame: float32 (N, 9), tangent, bitangent, and the surface's normal.
    """
    normals = 2 * values - 1
    tangent, bitangent, own = frame[:, :3], frame[:, 3:6], frame[:, 6:]
    direction = normals[:, :1] * tangent + normals[:, 1:2] * bitangent + normals[:, 2:] * own
    return np.asarray((_unit(direction) - _unit(own)) / 2, np.float32)


def from_deviation(deviation: Singles, frame: Singles) -> Singles:
    """The picture's values, float32 (N, 3), of deviations (N, 3) from :func:`to_deviation` in the frames (N, 9)."""
    tangent, bitangent, own = frame[:, :3], frame[:, 3:6], frame[:, 6:]
    direction = 2 * deviation + _unit(own)
    handedness = np.where(np.einsum("nd,nd->n", np.cross(tangent, bitangent), own) < 0, -1, 1)
    rows = [np.cross(*pair) for pair in ((bitangent, own), (own, tangent), (tangent, bitangent))]
    inverse = np.stack([np.einsum("nd,nd->n", row, direction) for row in rows], axis=1)
    return np.asarray(_unit(inverse * handedness[:, None]) / 2 + 0.5, np.float32)


def _unit(vectors: Singles) -> Singles:
    length = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-20)[:, None], np.float32)


def _angles(corners: Floats, normals: Floats) -> Floats:
    """The angle of each triangle at each corner, in the plane of the corner's normal, (F, 3)."""
    result = np.empty(corners.shape[:2])
    for k in range(3):
        sides = []
        for other in (1, 2):
            side = corners[:, (k + other) % 3] - corners[:, k]
            sides.append(unit_rows(side - np.einsum("fd,fd->f", side, normals[:, k])[:, None] * normals[:, k]))
        result[:, k] = np.arccos(np.clip(np.einsum("fd,fd->f", *sides), -1, 1))
    return result
