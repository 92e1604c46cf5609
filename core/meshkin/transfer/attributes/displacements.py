"""Displacements (shape keys, sculpted detail) carried through a map, turned and scaled with the surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ...data.snapshot import Snapshot
from ...geometry.arrays import Floats, unit_rows
from ...geometry.gradients import differentials
from ...geometry.laplacian import factorized, laplacian
from ...geometry.mesh import face_vectors, proper_faces, surface_area, vertex_normals
from ...geometry.rigid_motions import nearest_rotations
from ...geometry.smoothing import LEAST_FAIR_MASS, fair
from ...geometry.welding import place_numbers
from ..certainty import Certainty, certainty
from .contacts import with_contacts
from .inversions import without_inversions
from .lookup import MappedMesh

MOST_LOCAL_GROWTH = 3.0
"""The surface around a vertex is taken to grow by no more than this factor beside what the whole surface grows by, and
to shrink by no more. Chosen."""
EVEN_REACH = 0.1
"""Length over which the frames that turn displacements are evened out, in square roots of the target's area. Chosen: a
tenth of a person's height, about a head's width, so that heads turn and grow as a whole. Measured on ten expressions,
carried through the true map to a person of other build and mesh: the error is 0.06, with single vertices' frames 0.14.
"""


@dataclass(frozen=True)
class LocalFrames:
    """How the surface around each target vertex is turned and scaled onto the source's by the map.

    Attributes:
        rotation: float64 (V, 3, 3), from the target to the source.
        scale: float64 (V,), how many times larger the source is there.
    """

    rotation: Floats
    scale: Floats


def transfer_displacements(mapped: MappedMesh, offsets: NDArray[np.floating], reach: float = EVEN_REACH) -> Floats:
    """Displacements (U, 3) of the source's vertices, turned and scaled as the target's surface is: float64 (V, 3).

    Args:
        mapped: the target, the source and the map.
        offsets: (U, 3).
        reach: over which turn and scale are evened out, in square roots of the target's area; 0 for detail, which
            follows the surface at every vertex.

    What the source's displacements close is closed (:func:`meshkin.transfer.attributes.contacts.with_contacts`); where
    that turns over triangles that the source's displacements do not, it is solved for again
    (:func:`meshkin.transfer.attributes.inversions.without_inversions`). Detail is not, and what is certain is kept.
    """
    carried = mapped.to_source.pull(offsets, mapped.source.faces)
    certain = certainty(mapped.to_source, mapped.source, mapped.target)
    frames = even_frames(mapped, reach, certain) if reach > 0 else local_frames(mapped)
    turned = np.asarray(np.einsum("vji,vj->vi", frames.rotation, carried) / frames.scale[:, None])
    if reach <= 0 or certain.everywhere:
        return turned
    exact = np.asarray(offsets, np.float64)
    closing = with_contacts(mapped, frames.rotation * frames.scale[:, None, None], exact, turned, certain.vertices)
    return without_inversions(mapped, frames.rotation, exact, closing, certain.vertices)


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


def even_frames(mapped: MappedMesh, reach: float, certain: Certainty) -> LocalFrames:
    """As :func:`local_frames`, without what varies faster than over a reach.

    Where a brow stands out more or the map is a little off, the surface turns from vertex to vertex; what is carried
    should not. Rotations and logarithms of scales are diffused over the target, and the nearest rotations taken. Where
    the target is a copy of the source, they are the copy's.

    Args:
        mapped: the target, the source and the map.
        reach: in square roots of the target's area.
        certain: where the target is a copy.
    """
    frames = local_frames(mapped)
    place = place_numbers(mapped.target.vertices)
    first = np.zeros(int(place.max(initial=-1)) + 1, np.int64)
    first[place] = np.arange(len(place))
    faces = place[mapped.target.faces]
    stiffness, mass = laplacian(mapped.target.vertices[first], faces, keep_duplicates=True)
    used = np.unique(proper_faces(faces))
    stiffness, mass = stiffness[used][:, used], np.maximum(mass[used], LEAST_FAIR_MASS * mass.max(initial=0))
    length = reach * np.sqrt(surface_area(mapped.target.vertices, mapped.target.faces))
    values = np.column_stack((frames.rotation[first[used]].reshape(-1, 9), np.log(frames.scale[first[used]])))
    system = sparse.csc_array(sparse.diags_array(mass) + length**2 * stiffness)
    even = factorized(system)(mass[:, None] * values)
    rotation, scale = frames.rotation[first], frames.scale[first]
    rotation[used], scale[used] = nearest_rotations(even[:, :9].reshape(-1, 3, 3)), np.exp(even[:, 9])
    rotation, scale = rotation[place], scale[place]
    rotation[certain.vertices] = certain.motion.rotation.T
    scale[certain.vertices] = 1 / certain.motion.scale
    return LocalFrames(rotation, scale)


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
