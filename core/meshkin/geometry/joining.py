"""Meshes joined to what they show: cloth of two sides as one sheet, pieces a hair apart as one surface."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ..data.snapshot import Snapshot
from .adjacency import boundary_edges, connected_components
from .arrays import AnyFloats, AnyIntegers, Flags, Floats, Integers
from .mesh import bounding_diagonal, clean_faces, edges
from .rigid_motions import SAME_PLACE
from .welding import weld
from .winding import consistent_faces

SEAM_GAP = 2e-3
"""Gap up to which the borders of two pieces are one seam, in diagonals of the bounding box. Chosen: four millimeters on
a person; what cuts models apart, or generates them in pieces, leaves less."""
GAP_SHARE = 0.5
"""The gap is also at most this share of the edges beside it, so that no edge vanishes. Chosen."""
CUT_SHARE = 0.5
"""Share of a part's border along those of others, from which it is a piece that was cut off. Chosen."""


@dataclass(frozen=True)
class JoinedMesh:
    """A mesh whose vertices at one place are one.

    Attributes:
        shape: the joined mesh; its polygons and corners count those of the mesh that it was made from.
        place: int64 (V,), the vertex of the joined mesh that stands for each vertex of the mesh.
        first: int64 (W,), a vertex of the mesh for each of the joined mesh.
    """

    shape: Snapshot
    place: Integers
    first: Integers

    def chosen(self, worth: NDArray[np.floating]) -> Integers:
        """Return the vertex of the mesh of greatest worth (V,) for each of the joined mesh, int64 (W,)."""
        order = np.lexsort((np.arange(len(worth)), -worth, self.place))
        return np.asarray(order[np.flatnonzero(np.diff(self.place[order], prepend=-1))])


def joined_mesh(shape: Snapshot, apart: AnyIntegers | None = None) -> JoinedMesh:
    """Join what a mesh shows as one surface.

    Vertices at the same place become one, and so do those of two pieces whose borders are a hair apart. Of several
    faces on the same vertices (cloth whose faces are doubled and flipped) one stays. Faces that remain are wound alike
    if any had to go.

    Args:
        shape: the mesh.
        apart: (V,), numbers of what the vertices are known to be part of, -1 for unknown: pieces that are known to be
            parts of different things are not joined over a gap. None if nothing is known.
    """
    first, place = weld(shape.vertices)
    points = shape.vertices[first].astype(np.float64)
    known = np.full(len(points), -1, np.int64) if apart is None else np.asarray(apart, np.int64)[first]
    seam = _across_gaps(points, clean_faces(place[shape.faces]), known)
    first, place = first[np.unique(seam, return_index=True)[1]], seam[place]
    faces = np.asarray(place[shape.faces], np.int64)
    kept = _once(faces, shape.polygons)
    vertices = shape.vertices[first]
    once: AnyIntegers = faces[kept]
    if len(kept) < len(faces):
        once = consistent_faces(vertices, once)
    joined = replace(
        shape,
        vertices=vertices,
        faces=once.astype(np.int32),
        polygons=shape.polygons[kept],
        corners=shape.corners[kept],
        normals=shape.normals[kept],
        uvs=None if shape.uvs is None else shape.uvs[kept],
        materials=shape.materials[kept],
        parts=shape.parts[first],
        original=place[shape.original].astype(np.int32),
    )
    return JoinedMesh(joined, place, first)


def _across_gaps(points: Floats, faces: AnyIntegers, apart: Integers) -> Integers:
    """Return the number of the joined vertex for each of a mesh's vertices (V,), in the order of their first ones.

    Vertices are joined if they are at the same place but for rounding, or lie on borders of different connected parts,
    a hair apart, and are not known to be ``apart`` (V,); but not across an edge.
    """
    count, diagonal, pairs = len(points), bounding_diagonal(points), edges(faces)
    part = connected_components(pairs, count)
    length = np.full(count, np.inf)  # of the shortest edge at each vertex
    for end in pairs.T:
        np.minimum.at(length, end, np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1))
    border = np.unique(boundary_edges(faces)).astype(np.int64)
    same = _pairs_within(SAME_PLACE * diagonal, points, np.arange(count), length)
    seam = _pairs_within(SEAM_GAP * diagonal, points, border, length)
    seam = seam[part[seam[:, 0]] != part[seam[:, 1]]]
    seam = seam[(apart[seam[:, 0]] == apart[seam[:, 1]]) | (apart[seam] < 0).any(axis=1)]
    component = connected_components(np.concatenate((same, seam)), count)
    _, first, number = np.unique(component, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[number.reshape(-1)], np.int64)


def on_cut_pieces(vertices: AnyFloats, faces: AnyIntegers) -> Flags:
    """The vertices (V,) of connected parts most of whose border lies along other parts' borders.

    Such parts are pieces of one surface, also where the gap between them is too wide beside their edges to be joined.
    """
    first, place = weld(vertices)
    points, faces = vertices[first].astype(np.float64), clean_faces(place[faces])
    part = connected_components(edges(faces), len(points))
    border = np.unique(boundary_edges(faces)).astype(np.int64)
    near = cKDTree(points[border]).query_pairs(SEAM_GAP * bounding_diagonal(points), output_type="ndarray")
    pairs = border[near.reshape(-1, 2)]
    pairs = pairs[part[pairs[:, 0]] != part[pairs[:, 1]]]
    along = np.bincount(part[np.unique(pairs)], minlength=len(points))
    of_border = np.bincount(part[border], minlength=len(points))
    return np.asarray(((of_border > 0) & (along >= CUT_SHARE * of_border))[part][place])


def _pairs_within(distance: float, points: Floats, chosen: Integers, length: Floats) -> Integers:
    """Return the pairs (P, 2) of some vertices that lie within a distance, but for those as far as an edge is long.

    Args:
        distance: the largest.
        points: (V, 3).
        chosen: (N,), the vertices.
        length: (V,), of the shortest edge at each vertex.
    """
    near = cKDTree(points[chosen]).query_pairs(distance, output_type="ndarray").reshape(-1, 2)
    pairs = np.asarray(chosen[near], np.int64)
    gap = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    return np.asarray(pairs[gap <= GAP_SHARE * length[pairs].min(axis=1)])


def _once(faces: AnyIntegers, polygons: AnyIntegers) -> Integers:
    """Return the triangles (G,) that stay if of several polygons on the same vertices only the first does.

    Args:
        faces: (F, 3), the triangles' vertices.
        polygons: (F,), the polygon that each is part of.
    """
    corner = np.unique(np.column_stack((np.repeat(polygons, 3), faces.ravel())), axis=0)
    # The vertices of a polygon, whatever their order, as one number: a sum of random numbers, which may overflow.
    name = np.random.default_rng(0).integers(0, 1 << 63, int(faces.max(initial=0)) + 1, dtype=np.uint64)
    names = np.zeros(int(polygons.max(initial=-1)) + 1, np.uint64)
    np.add.at(names, corner[:, 0], name[corner[:, 1]])
    _, first = np.unique(names[polygons], return_index=True)
    once = np.zeros(len(names), bool)
    once[polygons[first]] = True
    return np.flatnonzero(once[polygons])
