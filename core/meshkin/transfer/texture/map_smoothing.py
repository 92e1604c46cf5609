"""A map with less detail of its own: what jitters between neighbors is evened out, the picture stays sharp."""

from __future__ import annotations

import igl
import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.closest_points import nearest_on_triangles
from ...geometry.laplacian import laplacian
from ...geometry.mesh import face_vectors, proper_faces, surface_area, vertex_normals
from ...geometry.smoothing import fair
from ...geometry.welding import place_numbers

LEAST = 0.02
"""Least weight of a vertex's own point, for confidence 0."""


def smoothed(to_source: SurfaceMap, source: Snapshot, target: Snapshot, radius: float) -> SurfaceMap:
    """The map with its points on the source smoothed over the target, and brought back to the source's surface.

    The points are the minimum of sum of (confidence * distance to the old point)^2 plus radius^4 times the squared
    Laplacian: what varies faster than ``radius`` goes, shapes keep their size (Botsch and Kobbelt 2004, section 3), and
    trusted points pull the others after them. Where the nearest point of the source faces away, the old one stays.

    Args:
        to_source: every target vertex's point on the source.
        source, target: the two shapes.
        radius: in hundredths of the square root of the target's area; 0 changes nothing.
    """
    if radius <= 0:
        return to_source
    place = place_numbers(target.vertices)
    count = int(place.max()) + 1
    first = np.zeros(count, np.int64)
    first[place] = np.arange(len(place))
    stiffness, mass = laplacian(target.vertices[first], place[target.faces], keep_duplicates=True)
    used = np.unique(proper_faces(place[target.faces]))
    stiffness, mass = stiffness[used][:, used], mass[used]
    size = float(np.sqrt(surface_area(target.vertices, target.faces)))
    reach = radius / 100 * size
    vertices_of = source.vertices.astype(np.float64)
    points = to_source.pull(vertices_of, source.faces)
    trust = np.maximum(to_source.confidence[first[used]].astype(np.float64), LEAST)
    moved = fair(points[first[used]], trust * mass, stiffness, np.maximum(mass, 1e-12 * mass.max()), reach)
    new = points.copy()
    kept = np.full(count, -1)
    kept[used] = np.arange(len(used))
    inner = kept[place] >= 0
    new[inner] = moved[kept[place[inner]]]
    normals = face_vectors(vertices_of, source.faces)
    solid = np.flatnonzero(normals.any(axis=1))
    _, found, _ = igl.point_mesh_squared_distance(new, vertices_of, source.faces[solid].astype(np.int64))
    face = solid[found]
    facing = to_source.pull(vertex_normals(vertices_of, source.faces), source.faces)
    good = inner & (np.einsum("vd,vd->v", facing, normals[face]) > 0)
    weights_there, _ = nearest_on_triangles(new, vertices_of[source.faces[face]])
    face = np.where(good, face, to_source.face).astype(np.int32)
    barycentric = np.where(good[:, None], weights_there, to_source.barycentric).astype(np.float32)
    vertex = np.take_along_axis(source.faces[face], barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(face, barycentric, vertex.astype(np.int32), to_source.confidence)
