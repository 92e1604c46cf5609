"""The pieces of a shape, and what they lie on of another one by a map."""

from __future__ import annotations

from dataclasses import dataclass

import igl
import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import connected_components
from ...geometry.arrays import Flags, Floats, Integers
from ...geometry.mesh import bounding_diagonal, edges, face_areas
from ...geometry.welding import place_numbers

PIECE_REACH = 0.008
"""Points no farther from a piece than this share of the longest side of the shape's box lie on it. Chosen: a third of
an eye."""
SMALL_PIECE_REACH = 0.5
"""But no farther than this share of the piece's diagonal. Chosen: brows do not lie on eyes."""
TOUCHING = 0.002
"""Pieces of one material no farther apart than this share of that side are one clump, as locks are. Chosen."""
MOST_PIECES = 250
"""Most pieces that are told apart; the smallest are one for each material. Chosen, to bound time."""
MOST_PIECE_POINTS = 240
"""Most points of a piece that are looked at. Chosen, to bound time."""
HIDDEN_SHARE = 0.9
"""A piece of which this share is unseen is hidden, as it stands. Chosen: all but a rim."""
_SAMPLED_PLACES = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6
"""Barycentric coordinates of the points of a triangle that are looked at."""


@dataclass(frozen=True)
class PieceSide:
    """One shape's pieces, and points on them.

    Attributes:
        piece: int (F,), of each triangle.
        slot: int (P,), each piece's material.
        clump: int (P,), the same for pieces of one material that lie beside each other, as the locks of a head do.
        names: of the materials.
        sampled: int (N,), the piece of each point.
        points: float (N, 3), where it lies on the shape.
        area: float (N,), the share of the shape's area that each point stands for.
        counts: bool (N,), whether it is seen, or nearly all of its piece is not.
        near: bool (N, Q), whether each point is mapped onto each of the other shape's pieces, or beside it.
    """

    piece: Integers
    slot: Integers
    clump: Integers
    names: tuple[str, ...]
    sampled: Integers
    points: Floats
    area: Floats
    counts: Flags
    near: Flags

    def areas(self, members: Floats) -> Floats:
        """The area of sets of pieces, (P, A): (A,)."""
        return np.asarray(self.area @ members[self.sampled])

    def common(self, members: Floats, others: Floats) -> Floats:
        """The area that sets of pieces, (P, A), have on sets of the other shape's pieces, (Q, B): (A, B)."""
        return np.asarray((members[self.sampled] * self.area[:, None]).T @ (self.near @ others > 0))


def pieces_of(shape: Snapshot) -> Integers:
    """The piece of each triangle, int64 (F,)."""
    corner = place_numbers(shape.vertices)[shape.faces] * (int(shape.materials.max()) + 1) + shape.materials[:, None]
    nodes, corner = np.unique(corner, return_inverse=True)
    corner = corner.reshape(-1, 3)
    piece = connected_components(edges(corner), len(nodes))[corner[:, 0]]
    total = np.bincount(piece, face_areas(shape.vertices, shape.faces))
    small = np.isin(piece, np.argsort(-total)[MOST_PIECES:])
    return np.unique(np.where(small, -1 - shape.materials, piece), return_inverse=True)[1].reshape(-1)


def hidden_pieces(shape: Snapshot, piece: Integers, unseen: Flags) -> Flags:
    """The pieces of a shape, (P,), that nobody sees but for a rim, as it stands: teeth, a body under clothes.

    Args:
        shape: the surface.
        piece: (F,), of each triangle.
        unseen: bool (F,), the triangles that nobody sees.
    """
    areas = face_areas(shape.vertices, shape.faces)
    return np.asarray(np.bincount(piece, areas * unseen) >= HIDDEN_SHARE * np.bincount(piece, areas))


def side_of(
    own: tuple[Snapshot, Integers], unseen: Flags, onto: SurfaceMap, others: tuple[Snapshot, Integers]
) -> PieceSide:
    """Look at where points on a shape's pieces lie on the other shape.

    Args:
        own: the shape, and the piece of each triangle (F,).
        unseen: bool (F,), its triangles that nobody sees.
        onto: the map from the shape to the other one.
        others: the other shape and its pieces (G,).
    """
    (shape, piece), (other, other_piece) = own, others
    areas = face_areas(shape.vertices, shape.faces)
    slot = np.zeros(int(piece.max()) + 1, np.int64)
    slot[piece] = shape.materials
    order = np.argsort(np.repeat(piece, len(_SAMPLED_PLACES)), kind="stable")
    ends = np.cumsum(len(_SAMPLED_PLACES) * np.bincount(piece))
    rows = np.concatenate([each[np.linspace(0, len(each) - 1, min(len(each), MOST_PIECE_POINTS)).astype(int)]
                           for each in np.split(order, ends[:-1])])  # fmt: skip
    face, weights = rows // len(_SAMPLED_PLACES), _SAMPLED_PLACES[rows % len(_SAMPLED_PLACES)]
    sampled, area = piece[face], areas[face]
    area *= (np.bincount(piece, areas) / np.maximum(np.bincount(sampled, area), 1e-300))[sampled] / areas.sum()

    def points(vertices: Floats) -> Floats:
        return np.asarray(np.einsum("nk,nkd->nd", weights, vertices[shape.faces[face]]))

    places = points(shape.vertices.astype(np.float64))
    clump = np.arange(len(slot))
    if len(np.unique(slot)) > 1:  # where all is of one material, that says nothing
        near = _near(places, shape, piece, TOUCHING)
        beside = np.array([near[sampled == number].any(axis=0) for number in clump])
        clump = connected_components(np.argwhere(beside & (slot[:, None] == slot[None])), len(slot)).astype(np.int64)
    near = _near(points(onto.pull(other.vertices, other.faces)), other, other_piece, PIECE_REACH)
    counts = ~unseen[face] | hidden_pieces(shape, piece, unseen)[sampled]
    return PieceSide(piece, slot, clump, shape.material_names, sampled, places, area, counts, near)


def _near(points: Floats, shape: Snapshot, piece: Integers, reach: float) -> Flags:
    """Whether each point (N, 3) lies on each piece of a shape, or beside it: bool (N, P).

    ``reach`` is how far beside, in the longest side of the shape's box, but no farther than
    :data:`SMALL_PIECE_REACH` of the piece."""
    vertices = shape.vertices.astype(np.float64)
    reach *= float(np.ptp(vertices, axis=0).max())
    near = np.zeros((len(points), int(piece.max()) + 1), bool)
    for number in range(near.shape[1]):
        faces = shape.faces[piece == number].astype(np.int64)
        corners = vertices[faces].reshape(-1, 3)
        near_enough = min(reach, SMALL_PIECE_REACH * bounding_diagonal(corners))
        low, high = corners.min(axis=0) - near_enough, corners.max(axis=0) + near_enough
        inside = ((points >= low) & (points <= high)).all(axis=1)
        rows = np.flatnonzero(inside)
        if len(rows):
            near[rows, number] = igl.point_mesh_squared_distance(points[rows], vertices, faces)[0] <= near_enough**2
    return near
