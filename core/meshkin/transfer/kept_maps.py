"""Maps kept to where vertices may go: pieces that belong together, skin on skin and teeth on teeth."""

from __future__ import annotations

import igl
import numpy as np
from scipy.spatial import cKDTree

from ..data.snapshot import Snapshot
from ..data.surface_map import SurfaceMap
from ..geometry.adjacency import loose_parts
from ..geometry.arrays import AnyIntegers, Flags, Floats, Integers
from ..geometry.closest_points import nearest_on_triangles
from ..geometry.mesh import face_vectors, vertex_normals

NEAR_TRIANGLES = 32
"""Triangles near a point among which one is looked for that faces the point's way. Chosen."""
CRUMB = 0.5
"""A loose part of the target of which no more than this share lies on one of the source has nothing to do with it, if
most of what lies there is of others. Chosen: two fifths of the teeth behind lips that stand open are mapped to lips."""


def without_crumbs(to_source: SurfaceMap, source: Snapshot, target: Snapshot) -> SurfaceMap:
    """A map in which loose parts keep together: skin at the rim of an eye does not go to the eyeball.

    Where a few vertices of a part go to one of the source that other parts of the target have most of, they go to the
    nearest point of those that their part is on instead.

    Args:
        to_source: every target vertex's point on the source.
        source, target: the shapes.
    """
    part = loose_parts(target.vertices, target.faces).of_vertex
    part_there = loose_parts(source.vertices, source.faces).of_vertex[source.faces[:, 0]]
    counts = np.zeros((int(part.max(initial=-1)) + 1, int(part_there.max(initial=-1)) + 1))
    np.add.at(counts, (part, part_there[to_source.face]), 1)
    few = counts <= CRUMB * counts.sum(axis=1, keepdims=True)
    crumbs = few & (counts > 0) & (2 * counts < counts.sum(axis=0))
    astray = np.flatnonzero(crumbs.any(axis=1) & ((counts > 0) & ~crumbs).any(axis=1))
    if not len(astray):
        return to_source
    group = np.full(len(counts), -1)
    group[astray] = np.arange(len(astray))
    allowed = (counts[astray] > 0) & ~crumbs[astray]
    return kept_to(to_source, group[part], allowed[:, part_there], source)


def kept_to(to_source: SurfaceMap, group: Integers, allowed: Flags, source: Snapshot) -> SurfaceMap:
    """A map (W,) with points outside of where the vertices' groups (W,) may go moved to the nearest point inside.

    Args:
        to_source: the map.
        group: of each vertex.
        allowed: bool (K, F), the triangles of the source that each group may go to.
        source: the source.
    """
    vertices = source.vertices.astype(np.float64)
    places = to_source.pull(vertices, source.faces)
    facing = to_source.pull(vertex_normals(vertices, source.faces), source.faces)
    face, barycentric = to_source.face.copy(), to_source.barycentric.copy()
    for number, inside in enumerate(allowed):
        astray = np.flatnonzero((group == number) & ~inside[face])
        if len(astray):
            there, weights = _nearest_facing(places[astray], facing[astray], vertices, source.faces, inside)
            face[astray], barycentric[astray] = there, weights
    return SurfaceMap.at_points(face, barycentric, to_source.confidence, source.vertices, source.faces)


def _nearest_facing(
    points: Floats, facing: Floats, vertices: Floats, faces: AnyIntegers, inside: Flags
) -> tuple[Integers, Floats]:
    """The points of some triangles nearest to points (N, 3), of triangles that face the same way (N, 3) unless others
    are much nearer: their triangles (N,) and barycentric coordinates (N, 3)."""
    number = np.flatnonzero(inside)
    corners, normals = vertices[faces[number]], face_vectors(vertices, faces[number])
    row = np.asarray(igl.point_mesh_squared_distance(points, vertices, faces[number].astype(np.int64))[1])
    averse = np.flatnonzero(np.einsum("nd,nd->n", facing, normals[row]) < 0)
    if len(averse):
        near = cKDTree(corners.mean(axis=1)).query(points[averse], k=min(NEAR_TRIANGLES, len(number)))[1]
        near = near.reshape(len(averse), -1)
        faces_it = np.einsum("nd,nkd->nk", facing[averse], normals[near]) > 0
        first = np.take_along_axis(near, faces_it.argmax(axis=1)[:, None], axis=1)[:, 0]
        row[averse] = np.where(faces_it.any(axis=1), first, row[averse])
    there = number[row]
    weights, _ = nearest_on_triangles(points, vertices[faces[there]])
    return there, weights
