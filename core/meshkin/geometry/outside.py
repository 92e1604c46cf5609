"""The outside of a mesh, whichever way its faces are wound: the side from which most rays get away."""

from __future__ import annotations

from functools import lru_cache

import igl
import numpy as np
from numpy.typing import NDArray

from .arrays import KEPT_MESHES, AnyIntegers, Floats, Integers, SameArrays, unit_rows
from .mesh import bounding_diagonal, face_areas, face_vectors
from .welding import place_numbers
from .winding import consistent_winding, rewound

RAYS = 8
"""Rays from each side of a sampled face. Chosen."""
SAMPLES = 2000
"""Faces from which rays are cast, about, shared among the patches. Chosen."""
FEWEST_SAMPLES, MOST_SAMPLES = 6, 150
"""Of them, in each patch. Chosen."""
RAY_LIFT = 1e-4
"""How far from the surface rays start, in diagonals of the bounding box. Chosen: far above rounding."""
LEAST_FREE = 0.02
"""Share of a patch's rays by which one side must be freer for the rays to decide. Chosen."""


def outward_faces(vertices: NDArray[np.floating], faces: AnyIntegers) -> AnyIntegers:
    """Return the faces (F, 3) of a mesh, wound counter-clockwise as seen from outside.

    Neighbors are made to agree. Then rays are cast from both sides of some faces of each patch: outside is where more
    of them get away (compare Takayama, Jacobson, Kavan and Sorkine-Hornung, "A Simple Method for Correcting Facet
    Orientations in Polygon Meshes Based on Ray Casting", 2014). If that leaves it open, as for a part within another, a
    patch is wound so that the volume it encloses with its centroid is positive. Corners stay in their order but for the
    exchange of the last two. The last few are kept.
    """
    return _outward_faces(SameArrays(vertices, faces))


@lru_cache(maxsize=KEPT_MESHES)
def _outward_faces(mesh: SameArrays) -> AnyIntegers:
    """As :func:`outward_faces`."""
    vertices, faces = mesh.arrays
    winding = consistent_winding(place_numbers(vertices)[faces])
    consistent = rewound(faces, winding.is_reversed)
    is_inward = _is_inward(np.asarray(vertices, np.float64), consistent.astype(np.int64), winding.patch)
    return rewound(faces, winding.is_reversed ^ is_inward[winding.patch])


def _is_inward(vertices: Floats, faces: Integers, patch: Integers) -> NDArray[np.bool_]:
    """Return which patches face inward, bool (number of patches,); ``patch`` (F,) is that of each face."""
    count = int(patch.max(initial=-1)) + 1
    areas = face_areas(vertices, faces)
    sampled = _sampled_faces(areas, patch, count)
    normals = unit_rows(face_vectors(vertices, faces[sampled]))
    middles = vertices[faces[sampled]].mean(axis=1)
    front, back = (_free_rays(vertices, faces, middles, side * normals) for side in (1, -1))
    rays = np.maximum(np.bincount(patch[sampled], minlength=count), 1)
    freer = np.bincount(patch[sampled], front - back, minlength=count) / rays
    volume = _volumes(vertices, faces, areas, patch, count)
    return np.where(np.abs(freer) > LEAST_FREE, freer < 0, volume < 0)


def _sampled_faces(areas: Floats, patch: Integers, count: int) -> Integers:
    """Return some faces of each patch, drawn by area."""
    each = int(np.clip(SAMPLES // max(count, 1), FEWEST_SAMPLES, MOST_SAMPLES))
    # Weighted sampling without replacement: the smallest of exponential variables, divided by the weights.
    order_key = np.random.default_rng(0).exponential(size=len(areas)) / np.maximum(
        areas, 1e-12 * areas.max() + np.finfo(float).tiny
    )
    order = np.lexsort((order_key, patch))
    start = np.searchsorted(patch[order], np.arange(count))
    rank = np.arange(len(order)) - start[patch[order]]
    sampled: Integers = order[(rank < each) & (areas[order] > 0)]
    return sampled


def _free_rays(vertices: Floats, faces: Integers, origins: Floats, normals: Floats) -> Floats:
    """Return the share of rays into the half space of each normal (N, 3) that meet nothing, (N,)."""
    tree = igl.AABB()
    tree.init(vertices, faces)
    step = np.arange(RAYS)
    cosine, azimuth = 1 - (step + 0.5) / RAYS * 0.9, step * np.pi * (3 - np.sqrt(5))
    flat = np.sqrt(1 - cosine**2)
    helper = np.eye(3)[np.abs(normals).argmin(axis=1)]
    side = unit_rows(np.cross(normals, helper))
    frames = np.stack((side, np.cross(normals, side), normals), axis=1)
    local = np.column_stack((flat * np.cos(azimuth), flat * np.sin(azimuth), cosine))
    directions = np.ascontiguousarray((local @ frames).reshape(-1, 3))
    starts = np.repeat(origins + RAY_LIFT * bounding_diagonal(vertices) * normals, RAYS, axis=0)
    hit = tree.intersect_ray_first(vertices, faces, starts, directions)[0]
    return np.asarray((hit < 0).reshape(-1, RAYS).mean(axis=1))


def _volumes(vertices: Floats, faces: Integers, areas: Floats, patch: Integers, count: int) -> Floats:
    """Return six times the volume that each patch encloses with its own centroid, signed, (count,)."""
    corners = vertices[faces]
    middles = corners.mean(axis=1)
    total = np.maximum(np.bincount(patch, areas, minlength=count), np.finfo(float).tiny)
    centroid = np.stack([np.bincount(patch, areas * middles[:, axis], minlength=count) for axis in range(3)], axis=1)
    offset = middles - (centroid / total[:, None])[patch]
    volumes = np.einsum("fd,fd->f", offset, face_vectors(vertices, faces))
    return np.asarray(np.bincount(patch, volumes, minlength=count), np.float64)
