"""A map smoothed before a bake: what jitters between neighbors is evened out, and the picture stays sharp."""

from __future__ import annotations

import igl
import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.closest_points import nearest_on_triangles
from ...geometry.laplacian import laplacian
from ...geometry.mesh import face_vectors, proper_faces, surface_area, vertex_normals
from ...geometry.smoothing import LEAST_FAIR_MASS, fair
from ...geometry.welding import place_numbers

LEAST_TRUST = 0.02
"""Least weight of a vertex's own point, for a confidence of 0. Chosen."""


def smoothed_map(to_source: SurfaceMap, source: Snapshot, target: Snapshot, radius: float) -> SurfaceMap:
    """The map with its points on the source smoothed over the target, and brought back to the source's surface.

    The points are the minimum of sum of (confidence * distance to the old point)^2 plus radius^4 times the squared
    Laplacian: what varies faster than ``radius`` is removed, shapes keep their size (Botsch and Kobbelt 2004, section
    3), and trusted points pull the others after them. If the nearest point of the source faces away, the old point
    stays.

    Args:
        to_source: for every target vertex its point on the source.
        source, target: the two shapes.
        radius: in hundredths of the square root of the target's area; 0 changes nothing.
    """
    if radius <= 0:
        return to_source
    place = place_numbers(target.vertices)
    vertex_at = np.zeros(int(place.max()) + 1, np.int64)  # of several vertices at one place the last
    vertex_at[place] = np.arange(len(place))
    faces = place[target.faces]
    stiffness, mass = laplacian(target.vertices[vertex_at], faces, keep_duplicates=True)
    used = np.unique(proper_faces(faces))
    stiffness, mass = stiffness[used][:, used], mass[used]
    reach = radius / 100 * float(np.sqrt(surface_area(target.vertices, target.faces)))
    vertices = source.vertices.astype(np.float64)
    points = to_source.pull(vertices, source.faces)
    chosen = vertex_at[used]
    trust = np.maximum(to_source.confidence[chosen].astype(np.float64), LEAST_TRUST)
    row = np.full(len(vertex_at), -1)
    row[used] = np.arange(len(used))
    smooth = row[place] >= 0
    moved = points.copy()
    smoothed = fair(points[chosen], trust * mass, stiffness, np.maximum(mass, LEAST_FAIR_MASS * mass.max()), reach)
    moved[smooth] = smoothed[row[place[smooth]]]
    normals = face_vectors(vertices, source.faces)
    solid = np.flatnonzero(normals.any(axis=1))
    _, nearest, _ = igl.point_mesh_squared_distance(moved, vertices, source.faces[solid].astype(np.int64))
    face = solid[nearest]
    facing = to_source.pull(vertex_normals(vertices, source.faces), source.faces)
    good = smooth & (np.einsum("vd,vd->v", facing, normals[face]) > 0)
    weights, _ = nearest_on_triangles(moved, vertices[source.faces[face]])
    face = np.where(good, face, to_source.face).astype(np.int32)
    barycentric = np.where(good[:, None], weights, to_source.barycentric).astype(np.float32)
    vertex = np.take_along_axis(source.faces[face], barycentric.argmax(axis=1)[:, None], axis=1)[:, 0]
    return SurfaceMap(face, barycentric, vertex.astype(np.int32), to_source.confidence)
