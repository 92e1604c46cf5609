"""Which pieces of two shapes belong together: hair and hair, eyes and eyes, by what the map says and by names."""

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
from .piece_names import SAME_NAME, alike_by_name, kind_of

PIECE_REACH = 0.008
"""Points no farther from a piece than this share of the longest side of the shape's box lie on it. Chosen: a third of
an eye."""
SMALL_PIECE_REACH = 0.5
"""But no farther than this share of the piece's diagonal. Chosen: brows do not lie on eyes."""
TOUCHING = 0.002
"""Pieces of one material no farther apart than this share of that side are one clump, as locks are. Chosen."""
LEAST_OVERLAP = 0.5
"""Least share of two sets of pieces that lies on the other, by which they belong together. Chosen: the majority."""
CLEAR_OVERLAP = 0.7
"""The same for single pieces within such sets. Chosen."""
MOST_PIECES = 250
"""Most pieces that are told apart; the smallest are one for each material. Chosen, to bound time."""
MOST_PIECE_POINTS = 240
"""Most points of a piece that are looked at. Chosen, to bound time."""
SAME_OVERLAP = 0.9
"""The same for two pieces that are each other's like, whatever sets they are in. Chosen: a nose and a nose, but
not a face and a whole head."""
REST_OVERLAP = 0.2
"""The same for what is left of two sets once their single pieces are paired. Chosen: less, for the sets do overlap."""
PART_OVERLAP, DETAIL_SHARE = 0.5, 0.05
"""Least share of a piece that lies on another one that it is a part of, and least share of that one that it makes up.
Chosen: the majority; and less is a detail, such as the eyes of a head, which has a place of its own."""
GATHERED = 0.1
"""What is taken off the overlap of sets that nothing but the map has gathered. Chosen: less than a clear difference."""
_SAMPLED_PLACES = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]]) / 6
"""Barycentric coordinates of the points of a triangle that are looked at."""

Pieces = tuple[int, ...]


@dataclass(frozen=True)
class PieceClaims:
    """The pieces of two shapes, and which of them belong together.

    Attributes:
        source_piece, target_piece: int (F,), int (G,), the piece that each triangle is of.
        source_claim, target_claim: int (P,), int (Q,), pieces with the same number belong together; -1 for none.
        shares: float (Q, C), how much of each of the target's pieces lies on what each claim has of the source.
        parts: bool (Q, P), which of the source's pieces each of the target's may show beside those of its claim.
    """

    source_piece: Integers
    target_piece: Integers
    source_claim: Integers
    target_claim: Integers
    shares: Floats
    parts: Flags


@dataclass(frozen=True)
class _Side:
    """One shape's pieces, and points on them.

    Attributes:
        piece: int (F,), of each triangle.
        slot: int (P,), each piece's material.
        clump: int (P,), the same for pieces of one material that lie beside each other, as the locks of a head do.
        names: of the materials.
        sampled: int (N,), the piece of each point.
        area: float (N,), the share of the shape's area that each point stands for.
        near: bool (N, Q), whether each point is mapped onto each of the other shape's pieces, or beside it.
    """

    piece: Integers
    slot: Integers
    clump: Integers
    names: tuple[str, ...]
    sampled: Integers
    area: Floats
    near: Flags

    def areas(self, members: Floats) -> Floats:
        """The area of sets of pieces, (P, A): (A,)."""
        return np.asarray(self.area @ members[self.sampled])

    def common(self, members: Floats, others: Floats) -> Floats:
        """The area that sets of pieces, (P, A), have on sets of the other shape's pieces, (Q, B): (A, B)."""
        return np.asarray((members[self.sampled] * self.area[:, None]).T @ (self.near @ others > 0))


@dataclass(frozen=True)
class _Sets:
    """Sets of one shape's pieces.

    Attributes:
        pieces: of each set, (A,).
        names: of the material or kind that each is of; "" for none.
        gathered: bool (A,), whether nothing but the map has made it.
        members: float (P, A), 1 where a piece is in a set.
    """

    pieces: list[Pieces]
    names: list[str]
    gathered: Flags
    members: Floats


def piece_claims(source: Snapshot, target: Snapshot, to_source: SurfaceMap, to_target: SurfaceMap) -> PieceClaims:
    """Find the pieces of both shapes that belong together.

    A piece is a connected part of one material. Sets of pieces (those of a material, or of one kind by their materials'
    names; those of one material that lie beside each other; all that lie mostly on a set of the other shape) belong
    together if most of both lies on the other where the map sends it, or if their names say so. The clearest come
    first; each piece belongs to one set at most. Single pieces come then: those left over, and those within two sets
    that lie clearly on one another. Two pieces that lie on one another nearly as a whole are a pair even if a set has
    taken one of them. At last, what is left of either shape joins the set that most of it lies on.

    Args:
        source, target: the shapes.
        to_source, to_target: the maps between them.
    """
    pieces = _pieces(source), _pieces(target)
    sides = (
        _side(source, pieces[0], to_target, target, pieces[1]),
        _side(target, pieces[1], to_source, source, pieces[0]),
    )
    counts = len(sides[0].slot), len(sides[1].slot)
    claims: list[tuple[Pieces, Pieces]] = []
    if min(counts) > 1:
        named = _named_sets(sides[0]), _named_sets(sides[1])
        sets = (
            _sets(sides[0], named[0], _gathered(sides[0], named[1])),
            _sets(sides[1], named[1], _gathered(sides[1], named[0])),
        )
        singles = _single_pieces(sides[0]), _single_pieces(sides[1])
        of_sets, of_singles = _overlap(sides, sets), _overlap(sides, singles)
        for _ in range(2):  # what is left of sets may belong to others
            found = _best_pairs(sides, sets, _unless_taken(of_sets, sets, claims), LEAST_OVERLAP)
            claims += [part for claim in found for part in _refined(claim, sides, singles, of_singles)]
        claims += _best_pairs(sides, singles, _unless_taken(of_singles, singles, claims), LEAST_OVERLAP)
        claims = _with_likes(claims, _best_pairs(sides, singles, of_singles, SAME_OVERLAP))
    members = [_members([pair[side] for pair in claims], count) for side, count in enumerate(counts)]
    shares = [_shares(sides[0], members[1]), _shares(sides[1], members[0])]
    claimed = [
        _joined(side, members[index], shares[index], _names_of_claims(side, sides[1 - index], members[1 - index]))
        for index, side in enumerate(sides)
    ]
    return PieceClaims(pieces[0], pieces[1], claimed[0], claimed[1], shares[1], _parts(sides, claimed, shares))


def _parts(sides: tuple[_Side, _Side], claimed: list[Integers], shares: list[Floats]) -> Flags:
    """Which of the source's pieces each of the target's may show beside those of its claim, (Q, P).

    Those are parts of it, or it is a part of them, and the part does not lie on what its own claim has: upper arms,
    where head and arms are one piece and the source's are single ones. They are of a material that the claim has, too.

    Args:
        sides: both shapes' pieces.
        claimed: (P,) and (Q,), their claims.
        shares: (P, C) and (Q, C), how much of each piece lies on each claim's pieces of the other shape.
    """
    source, target = (_shares(side, np.eye(len(other.slot))) for side, other in (sides, sides[::-1]))
    astray = [
        np.where(claim < 0, True, share[np.arange(len(claim)), claim] < PART_OVERLAP) if share.size else claim < 0
        for claim, share in zip(claimed, shares, strict=True)
    ]
    parts = (source.T >= PART_OVERLAP) & (target >= DETAIL_SHARE) & astray[0][None]
    parts |= (target >= PART_OVERLAP) & (source.T >= DETAIL_SHARE) & astray[1][:, None]
    slots = np.eye(int(sides[0].slot.max()) + 1)[sides[0].slot]
    same_claim = (claimed[1][:, None] == claimed[0][None]).astype(float)
    return np.asarray(parts & ((same_claim @ slots @ slots.T) > 0))


def _shares(side: _Side, others: Floats) -> Floats:
    """How much of each piece lies on sets of the other shape's pieces, (Q, C): (P, C)."""
    every = np.eye(len(side.slot))
    return side.common(every, others) / np.maximum(side.areas(every), 1e-12)[:, None]


def _joined(side: _Side, members: Floats, shares: Floats, alike: Floats) -> Integers:
    """The claim of each piece, (P,): of those that have none, the one that most of it lies on; -1 for none. Of several,
    one that has a piece of the same material is preferred as if by its name.

    Args:
        side: the pieces.
        members: (P, C), those that each claim has.
        shares, alike: (P, C), how much of each piece lies on each claim's pieces of the other shape, and what names
            add.
    """
    claim = np.where(members.any(axis=1), members.argmax(axis=1), -1) if members.size else np.full(len(side.slot), -1)
    if members.size:
        score = np.where((claim < 0)[:, None], shares + alike, 0)
        joined = score.max(axis=1) >= LEAST_OVERLAP
        slots = np.eye(int(side.slot.max()) + 1)[side.slot]
        score += SAME_NAME * (slots @ (slots.T @ members) > 0)
        claim[joined] = score.argmax(axis=1)[joined]
    return claim


def _pieces(shape: Snapshot) -> Integers:
    """The piece of each triangle, int64 (F,)."""
    corner = place_numbers(shape.vertices)[shape.faces] * (int(shape.materials.max()) + 1) + shape.materials[:, None]
    nodes, corner = np.unique(corner, return_inverse=True)
    corner = corner.reshape(-1, 3)
    piece = connected_components(edges(corner), len(nodes))[corner[:, 0]]
    total = np.bincount(piece, face_areas(shape.vertices, shape.faces))
    small = np.isin(piece, np.argsort(-total)[MOST_PIECES:])
    return np.unique(np.where(small, -1 - shape.materials, piece), return_inverse=True)[1].reshape(-1)


def _side(shape: Snapshot, piece: Integers, onto: SurfaceMap, other: Snapshot, other_piece: Integers) -> _Side:
    """A shape's pieces, and where points on them lie on the other shape."""
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
        return np.einsum("nk,nkd->nd", weights, vertices[shape.faces[face]])

    clump = np.arange(len(slot))
    if len(np.unique(slot)) > 1:  # where all is of one material, that says nothing
        near = _near(points(shape.vertices.astype(np.float64)), shape, piece, TOUCHING)
        beside = np.array([near[sampled == number].any(axis=0) for number in clump])
        clump = connected_components(np.argwhere(beside & (slot[:, None] == slot[None])), len(slot)).astype(np.int64)
    near = _near(points(onto.pull(other.vertices, other.faces)), other, other_piece, PIECE_REACH)
    return _Side(piece, slot, clump, shape.material_names, sampled, area, near)


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


def _named_sets(side: _Side) -> dict[Pieces, str]:
    """Sets of pieces of one kind, of one material, and of one clump, with the kind's or material's name."""
    kinds = np.array([kind_of(name) for name in side.names] or [""])
    sets = {}
    for kind in np.unique(kinds[kinds != ""]).tolist():
        sets[_set(np.isin(side.slot, np.flatnonzero(kinds == kind)))] = kind
    for label in (side.slot, side.clump):
        for number in np.unique(label).tolist():
            inside = label == number
            slot = int(side.slot[inside][0])
            sets.setdefault(_set(inside), side.names[slot] if slot < len(side.names) else "")
    sets.pop((), None)
    return sets


def _gathered(side: _Side, others: dict[Pieces, str]) -> list[Pieces]:
    """For each set of the other shape's pieces, all clumps of this shape that lie mostly on it."""
    clumps = np.eye(int(side.clump.max()) + 1)[side.clump]
    common = side.common(clumps, _members(list(others), side.near.shape[1]))
    mostly = common >= LEAST_OVERLAP * np.maximum(side.areas(clumps), 1e-12)[:, None]
    return [found for column in mostly.T if (found := _set(column[side.clump]))]


def _sets(side: _Side, named: dict[Pieces, str], gathered: list[Pieces]) -> _Sets:
    pieces = list(dict.fromkeys([*named, *gathered]))
    names = [named.get(one, "") for one in pieces]
    return _Sets(pieces, names, np.array([one not in named for one in pieces]), _members(pieces, len(side.slot)))


def _single_pieces(side: _Side) -> _Sets:
    count = len(side.slot)
    names = [side.names[slot] if slot < len(side.names) else "" for slot in side.slot.tolist()]
    return _Sets([(piece,) for piece in range(count)], names, np.zeros(count, bool), np.eye(count))


def _set(inside: Flags) -> Pieces:
    return tuple(np.flatnonzero(inside).tolist())


def _members(sets: list[Pieces], count: int) -> Floats:
    """Whether each piece is in each set, (count, sets)."""
    members = np.zeros((count, len(sets)))
    for column, pieces in enumerate(sets):
        members[list(pieces), column] = 1
    return members


def _overlap(sides: tuple[_Side, _Side], sets: tuple[_Sets, _Sets]) -> Floats:
    """How well sets of the source's pieces and sets of the target's belong together, (A, B): the share of both areas
    that lies on the other, and what names add."""
    (source, target), (own, others) = sides, sets
    common = source.common(own.members, others.members) + target.common(others.members, own.members).T
    areas = source.areas(own.members)[:, None] + target.areas(others.members)[None]
    overlap = common / np.maximum(areas, 1e-12) + alike_by_name(own.names, others.names)
    return np.asarray(overlap - GATHERED * (own.gathered[:, None] | others.gathered[None]))


def _best_pairs(
    sides: tuple[_Side, _Side], sets: tuple[_Sets, _Sets], overlap: Floats, least: float
) -> list[tuple[Pieces, Pieces]]:
    """Pairs of sets, those that overlap most first, each piece in one pair at most."""
    free = [np.ones(len(side.slot), bool) for side in sides]
    pairs = []
    order = np.argsort(-overlap, axis=None, kind="stable")
    for cell in order[: np.count_nonzero(overlap >= least)].tolist():
        row, column = divmod(cell, overlap.shape[1])
        pair = sets[0].pieces[row], sets[1].pieces[column]
        if all(free[side][list(pieces)].all() for side, pieces in enumerate(pair)):
            pairs.append(pair)
            for side, pieces in enumerate(pair):
                free[side][list(pieces)] = False
    return pairs


def _unless_taken(overlap: Floats, sets: tuple[_Sets, _Sets], claims: list[tuple[Pieces, Pieces]]) -> Floats:
    """The overlap of sets (A, B) of which no claim has a piece yet, -inf for others."""
    taken = [
        np.array(
            [bool({*pieces} & {piece for claim in claims for piece in claim[side]}) for pieces in sets[side].pieces]
        )
        for side in (0, 1)
    ]
    return np.where(taken[0][:, None] | taken[1][None], -np.inf, overlap)


def _refined(
    claim: tuple[Pieces, Pieces], sides: tuple[_Side, _Side], singles: tuple[_Sets, _Sets], overlap: Floats
) -> list[tuple[Pieces, Pieces]]:
    """A pair of sets with single pieces that lie clearly on one another as pairs of their own, unless what is left of
    one set would have nothing in the other. What is left of both is a pair if that lies on one another, too."""
    inside = np.full(overlap.shape, -np.inf)
    cells = np.ix_(claim[0], claim[1])
    inside[cells] = overlap[cells]
    pairs = _best_pairs(sides, singles, inside, LEAST_OVERLAP)
    rest = tuple(
        tuple(piece for piece in claim[side] if all(piece not in pair[side] for pair in pairs)) for side in (0, 1)
    )
    if bool(rest[0]) != bool(rest[1]):
        return [claim]
    if not rest[0]:
        return pairs
    members = [_members([left], len(side.slot)) for left, side in zip(rest, sides, strict=True)]
    areas = sides[0].areas(members[0]) + sides[1].areas(members[1])
    common = sides[0].common(*members) + sides[1].common(*members[::-1]).T
    return [*pairs, (rest[0], rest[1])] if common[0, 0] >= REST_OVERLAP * areas[0] else pairs


def _with_likes(claims: list[tuple[Pieces, Pieces]], likes: list[tuple[Pieces, Pieces]]) -> list[tuple[Pieces, Pieces]]:
    """Claims in which two single pieces that are each other's like, and of which one is in no claim yet, are a pair of
    their own. A set that loses its last piece so makes no claim any more."""
    for like in likes:
        taken = [{piece for claim in claims for piece in claim[side]} for side in (0, 1)]
        if like[0][0] in taken[0] and like[1][0] in taken[1]:
            continue
        left = [(_without(claim[0], like[0]), _without(claim[1], like[1])) for claim in claims]
        claims = [*((source, target) for source, target in left if source and target), like]
    return claims


def _without(pieces: Pieces, others: Pieces) -> Pieces:
    return tuple(piece for piece in pieces if piece not in others)


def _names_of_claims(side: _Side, other: _Side, others: Floats) -> Floats:
    """What names add for pieces to belong to sets of the other shape's pieces, (Q, C): (P, C)."""
    alike = alike_by_name(list(side.names), list(other.names))
    best = np.zeros((len(side.slot), others.shape[1]))
    if alike.size:
        for column in range(others.shape[1]):
            best[:, column] = alike[side.slot][:, other.slot[others[:, column] > 0]].max(axis=1)
    return best
