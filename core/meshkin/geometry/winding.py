"""The winding of triangles: made consistent across edges. Needs only NumPy, so that Blender has it, too.

The way a mesh is wound says nothing about where its outside is: importers, mirrored halves and scans wind faces either
way. What is outside, :mod:`.outside` tells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .arrays import AnyIntegers, Floats, Integers, unit_rows
from .mesh import face_vectors, vertex_normals
from .welding import place_numbers

LEAST_FLAT_COSINE = 0.999
"""Cosine between the shading normals of a face's corners and its own from which on the face is flat shaded. Chosen."""


@dataclass(frozen=True)
class Winding:
    """How the triangles of a mesh must be wound to agree with their neighbors.

    Attributes:
        is_reversed: bool (F,), the triangles that are wound against most of their patch.
        patch: int64 (F,), the number of each triangle's patch, from 0: triangles that share edges which two triangles
            have each.
    """

    is_reversed: NDArray[np.bool_]
    patch: Integers


def consistent_winding(corners: AnyIntegers) -> Winding:
    """Return how triangles must be wound to agree across edges.

    Two neighbors agree if they run along their common edge in opposite directions. Edges with three or more different
    triangles do not count. A patch with one side only (a Möbius strip) stays inconsistent somewhere. The method is
    hooking and pointer jumping, as :func:`meshkin.data.snapshot.connected_parts`, with the parity of each triangle to
    its root.

    Args:
        corners: (F, 3), a number for each place of a corner (:func:`meshkin.geometry.welding.place_numbers`).
    """
    # Faces on the same three corners count as one, and are wound alike.
    _, once, same = np.unique(np.sort(corners, axis=1), axis=0, return_index=True, return_inverse=True)
    same = same.reshape(-1)
    winding = _consistent_winding(corners[once])
    is_odd = ((corners[:, [0, 0, 1]] > corners[:, [1, 2, 2]]).sum(axis=1) % 2).astype(bool)
    is_reversed = winding.is_reversed[same] ^ is_odd ^ is_odd[once][same]
    return Winding(is_reversed, winding.patch[same])


def _consistent_winding(corners: AnyIntegers) -> Winding:
    """Return :func:`consistent_winding` of triangles without duplicates."""
    first, second, disagree = _neighbors(corners)
    root, parity = np.arange(len(corners)), np.zeros(len(corners), bool)
    while len(first):
        first_root, second_root = root[first], root[second]
        apart = first_root != second_root
        first, second, disagree = first[apart], second[apart], disagree[apart]
        if not len(first):
            break
        low = np.minimum(first_root, second_root)[apart]
        high = np.maximum(first_root, second_root)[apart]
        hooked, link = np.unique(high, return_index=True)
        root[hooked] = low[link]
        parity[hooked] = disagree[link] ^ parity[first[link]] ^ parity[second[link]]
        while not np.array_equal(root, above := root[root]):
            parity ^= parity[root]
            root = above
    patch = np.unique(root, return_inverse=True)[1].reshape(-1).astype(np.int64)
    size = np.bincount(patch, minlength=1)
    is_majority = 2 * np.bincount(patch, parity, minlength=1) > size
    return Winding(parity ^ is_majority[patch] if len(patch) else parity, patch)


def rewound(faces: AnyIntegers, is_reversed: NDArray[np.bool_]) -> AnyIntegers:
    """Return faces (F, 3) with the second and third corner of some, bool (F,), exchanged."""
    return np.where(is_reversed[:, None], faces[:, [0, 2, 1]], faces)


def consistent_faces(vertices: NDArray[np.floating], faces: AnyIntegers) -> AnyIntegers:
    """Return the faces (F, 3) of a mesh, wound so that neighbors agree; vertices at one place count as one."""
    return rewound(faces, consistent_winding(place_numbers(vertices)[faces]).is_reversed)


def consistent_shading(
    vertices: NDArray[np.floating], faces: AnyIntegers, normals: NDArray[np.floating]
) -> tuple[AnyIntegers, NDArray[np.floating]]:
    """Return the faces (F, 3) of a mesh, wound so that neighbors agree, and shading normals (F, 3, 3) that go along.

    The normals of a rewound face are exchanged and turned over with it. Where faces of both kinds meet, smooth normals,
    which are means over faces that face opposite ways, say nothing: they are computed anew.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        normals: (F, 3, 3), at each corner.
    """
    place = place_numbers(vertices)
    is_reversed = consistent_winding(place[faces]).is_reversed
    if not is_reversed.any():
        return faces, normals
    consistent = rewound(faces, is_reversed)
    turned = np.where(is_reversed[:, None, None], -normals[:, [0, 2, 1]], normals)
    count = int(place.max()) + 1
    has_reversed, has_kept = np.zeros((2, count), bool)
    has_reversed[place[faces[is_reversed]]] = True
    has_kept[place[faces[~is_reversed]]] = True
    own = unit_rows(face_vectors(vertices, consistent))
    is_flat = (np.einsum("fd,fkd->fk", own, turned) > LEAST_FLAT_COSINE).all(axis=1)
    is_wrong = (has_reversed & has_kept)[place[consistent]] & ~is_flat[:, None]
    points = np.zeros((count, 3))
    points[place] = vertices
    smooth: Floats = vertex_normals(points, place[consistent])[place[consistent]]
    return consistent, np.where(is_wrong[..., None], smooth.astype(normals.dtype), turned)


def _neighbors(corners: AnyIntegers) -> tuple[Integers, Integers, NDArray[np.bool_]]:
    """Return pairs of triangles with a common edge that only they have, and whether their windings disagree: (E,)."""
    start, end = corners.ravel().astype(np.int64), corners[:, [1, 2, 0]].ravel().astype(np.int64)
    keys = np.minimum(start, end) * (int(corners.max(initial=0)) + 1) + np.maximum(start, end)
    order = np.argsort(keys, kind="stable")
    order = order[start[order] != end[order]]
    _, first, count = np.unique(keys[order], return_index=True, return_counts=True)
    pair = first[count == 2]
    one, other = order[pair], order[pair + 1]
    return one // 3, other // 3, (start[one] < end[one]) == (start[other] < end[other])
