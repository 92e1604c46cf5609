"""Displacements (shape keys, sculpted detail) carried through a map, turned and scaled with the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, unit_rows
from ...geometry.gradients import differentials
from ...geometry.laplacian import laplacian
from ...geometry.mesh import face_vectors, proper_faces, surface_area, vertex_normals
from ...geometry.smoothing import LEAST_FAIR_MASS, fair
from ...geometry.welding import place_numbers
from .lookup import MappedMesh

MOST_LOCAL_GROWTH = 3.0
"""The surface around a vertex is taken to grow by no more than this factor beside what the whole surface grows by, and
to shrink by no more. Chosen."""


@dataclass(frozen=True)
class LocalFrames:
    """How the surface around each target vertex is turned and scaled onto the source's by the map.

    Attributes:
        rotation: float64 (V, 3, 3), from the target to the source.
        scale: float64 (V,), how many times larger the source is there.
    """

    rotation: Floats
    scale: Floats


def transfer_displacements(mapped: MappedMesh, offsets: NDArray[np.floating]) -> Floats:
    """Displacements (U, 3) of the source's vertices, turned and scaled as the target's surface is: float64 (V, 3)."""
    carried = mapped.to_source.pull(offsets, mapped.source.faces)
    frames = local_frames(mapped)
    return np.asarray(np.einsum("vji,vj->vi", frames.rotation, carried) / frames.scale[:, None])


def surface_detail(shape: Snapshot, radius: float) -> Floats:
    """The part of a surface's shape that is smaller than a radius, as displacements float64 (V, 3).

    Added to the surface smoothed by that radius, it gives the surface (implicit fairing, Desbrun et al. 1999).

    Args:
        shape: the surface.
        radius: in hundredths of the square root of its area.
    """
    place = place_numbers(shape.vertices)
    first = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    first[place] = np.arange(len(place))
    faces = place[shape.faces]
    stiffness, mass = laplacian(shape.vertices[first], faces, keep_duplicates=True)
    used = np.unique(proper_faces(faces))
    stiffness, mass = stiffness[used][:, used], mass[used]
    vertices = shape.vertices.astype(np.float64)[first[used]]
    reach = radius / 100 * np.sqrt(surface_area(shape.vertices, shape.faces))
    smooth = fair(vertices, mass, stiffness, np.maximum(mass, LEAST_FAIR_MASS * mass.max()), reach)
    offsets = np.zeros((len(first), 3))
    offsets[used] = vertices - smooth
    return offsets[place]


def local_frames(mapped: MappedMesh) -> LocalFrames:
    """How the map turns and scales the surface around each vertex of the target.

    Of every triangle the map's differential is taken, with the normal carried to the source's normal; around a vertex
    these are averaged, weighted by area, and the nearest rotation taken. Torn triangles are left out.
    """
    source, target, torn = mapped.source, mapped.target, mapped.carrier.torn
    vertices, faces = target.vertices.astype(np.float64), target.faces
    normals = unit_rows(face_vectors(vertices, faces))
    source_normals = vertex_normals(source.vertices.astype(np.float64), source.faces)
    mapped_normals = unit_rows(mapped.to_source.pull(source_normals, source.faces))[faces].mean(axis=1)
    in_plane = differentials(vertices[faces], mapped.carrier.mapped_vertices[faces])
    growth = np.sqrt(np.maximum((in_plane**2).sum(axis=(1, 2)) / 2, 1e-20))
    turning = in_plane / growth[:, None, None] + mapped_normals[:, :, None] * normals[:, None]
    turning[torn] = 0
    double_area = np.linalg.norm(face_vectors(vertices, faces), axis=1)
    weight = np.where(torn, 0, double_area)
    place = place_numbers(target.vertices)
    corner, count = place[faces].ravel(), int(place.max(initial=-1)) + 1
    sums = np.zeros((count, 3, 3))
    np.add.at(sums, corner, np.repeat(turning * double_area[:, None, None], 3, axis=0))
    total = np.bincount(corner, np.repeat(weight, 3), count)
    grown = np.bincount(corner, np.repeat(weight * growth, 3), count)
    average = np.sqrt(surface_area(source.vertices, source.faces) / surface_area(target.vertices, faces))
    sums[total <= 0] = np.eye(3)
    left, _, right = np.linalg.svd(sums)
    left[np.linalg.det(left @ right) < 0, :, 2] *= -1
    scale = np.where(total > 0, grown / np.maximum(total, 1e-300), average)
    scale = np.clip(scale, average / MOST_LOCAL_GROWTH, average * MOST_LOCAL_GROWTH)
    return LocalFrames((left @ right)[place], scale[place])
