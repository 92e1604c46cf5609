"""Which pieces of two shapes belong together: hair and hair, eyes and eyes, by what the map says and by names."""

from __future__ import annotations

from dataclasses import dataclass, replace

import igl
import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.arrays import Flags, Floats, Integers
from .piece_names import SAME_NAME, alike_by_name, kind_of
from .piece_sides import PieceSide, pieces_of, side_of

LEAST_OVERLAP = 0.5
"""Least share of two sets of pieces that lies on the other, by which they belong together. Chosen: the majority."""
CLEAR_OVERLAP = 0.7
"""The same for single pieces within such sets. Chosen."""
SAME_OVERLAP = 0.9
"""The same for two pieces that are each other's like, whatever sets they are in. Chosen: a nose and a nose, but
not a face and a whole head."""
REST_OVERLAP = 0.2
"""The same for what is left of two sets once their single pieces are paired. Chosen: less, for the sets do overlap."""
PART_OVERLAP, DETAIL_SHARE, LIES_BESIDE = 0.5, 0.05, 0.03
"""Least share of a piece that lies on another one that it is a part of, and least share of that one that it makes up.
Chosen: the majority; and less is a detail, such as the eyes of a head, which has a place of its own. What lies within
the last share of the longest side of the shape's box lies beside. Chosen: a cape on a back, but no face on a chest."""
GATHERED = 0.1
"""What is taken off the overlap of sets that nothing but the map has gathered. Chosen: less than a clear difference."""
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


def piece_claims(
    source: Snapshot, target: Snapshot, to_source: SurfaceMap, to_target: SurfaceMap, unseen: tuple[Flags, Flags]
) -> PieceClaims:
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
        unseen: bool (F,), bool (G,), their triangles that nobody sees.
    """
    pieces = pieces_of(source), pieces_of(target)
    sides = (
        side_of((source, pieces[0]), unseen[0], to_target, (target, pieces[1])),
        side_of((target, pieces[1]), unseen[1], to_source, (source, pieces[0])),
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
    parts = _parts(sides, claimed, shares) | _homeless(source, sides, claimed, members)
    return PieceClaims(pieces[0], pieces[1], claimed[0], claimed[1], shares[1], parts)


def _parts(sides: tuple[PieceSide, PieceSide], claimed: list[Integers], shares: list[Floats]) -> Flags:
    """Which of the source's pieces each of the target's may show beside those of its claim, (Q, P).

    Those are parts of it, or it is a part of them, and the part does not lie on what its own claim has: upper arms,
    where head and arms are one piece and the source's are single ones. They are of a material that the claim has, too.

    Args:
        sides: both shapes' pieces.
        claimed: (P,) and (Q,), their claims.
        shares: (P, C) and (Q, C), how much of each piece lies on each claim's pieces of the other shape.
    """
    source, target = (_shares(side, np.eye(len(other.slot))) for side, other in (sides, sides[::-1]))
    astray = [_astray(claim, share) for claim, share in zip(claimed, shares, strict=True)]
    parts = (source.T >= PART_OVERLAP) & (target >= DETAIL_SHARE) & astray[0][None]
    parts |= (target >= PART_OVERLAP) & (source.T >= DETAIL_SHARE) & astray[1][:, None]
    slots = np.eye(int(sides[0].slot.max()) + 1)[sides[0].slot]
    same_claim = (claimed[1][:, None] == claimed[0][None]).astype(float)
    return np.asarray(parts & ((same_claim @ slots @ slots.T) > 0))


def _astray(claim: Integers, shares: Floats) -> Flags:
    """Pieces (P,) that do not lie on what their claim has, of which they lie on the claims' by shares (P, C)."""
    own = shares[np.arange(len(claim)), claim] if shares.size else np.zeros(len(claim))
    return np.asarray((claim < 0) | (own < PART_OVERLAP))


def _homeless(
    source: Snapshot, sides: tuple[PieceSide, PieceSide], claimed: list[Integers], members: list[Floats]
) -> Flags:
    """Which of the source's pieces each of the target's shows because they have no other place, (Q, P).

    What is seen of them lies on it, and not on what their own claim has: of a head under hair, a face, where the
    target's face and chest are one piece. And what its claim has lies far from them, so that nothing could show in
    their place. Where names say what a piece shows, that is all.

    Args:
        source: the source.
        sides: both shapes' pieces.
        claimed: (P,) and (Q,), their claims.
        members: (P, C) and (Q, C), the pieces that each claim has.
    """
    seen = [replace(side, area=side.area * side.counts) for side in sides]
    on_target, on_source = (_shares(side, np.eye(len(other.slot))) for side, other in (seen, seen[::-1]))
    astray = _astray(claimed[0], _shares(seen[0], members[1]))
    result = (on_target.T >= PART_OVERLAP) & (on_source >= DETAIL_SHARE) & astray[None] & (claimed[1] >= 0)[:, None]
    if members[0].size:
        alike = _names_of_claims(sides[1], sides[0], members[0])
        result &= (alike[np.arange(len(alike)), claimed[1]] <= 0)[:, None]
    reach = LIES_BESIDE * float(np.ptp(source.vertices, axis=0).max())
    vertices, faces, side = source.vertices.astype(np.float64), source.faces.astype(np.int64), seen[0]
    for piece, claim in enumerate(claimed[1].tolist()):
        of_claim = faces[(claimed[0] == claim)[side.piece]]
        rows = np.flatnonzero(result[piece][side.sampled])
        if len(of_claim) and len(rows):
            away = igl.point_mesh_squared_distance(side.points[rows], vertices, of_claim)[0]
            own, count = side.sampled[rows], len(side.slot)
            beside = np.bincount(own, side.area[rows] * (away <= reach**2), count)
            result[piece] &= beside < PART_OVERLAP * np.bincount(own, side.area[rows], count)
    return result


def _shares(side: PieceSide, others: Floats) -> Floats:
    """How much of each piece lies on sets of the other shape's pieces, (Q, C): (P, C)."""
    every = np.eye(len(side.slot))
    return side.common(every, others) / np.maximum(side.areas(every), 1e-12)[:, None]


def _joined(side: PieceSide, members: Floats, shares: Floats, alike: Floats) -> Integers:
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


def _named_sets(side: PieceSide) -> dict[Pieces, str]:
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


def _gathered(side: PieceSide, others: dict[Pieces, str]) -> list[Pieces]:
    """For each set of the other shape's pieces, all clumps of this shape that lie mostly on it."""
    clumps = np.eye(int(side.clump.max()) + 1)[side.clump]
    common = side.common(clumps, _members(list(others), side.near.shape[1]))
    mostly = common >= LEAST_OVERLAP * np.maximum(side.areas(clumps), 1e-12)[:, None]
    return [found for column in mostly.T if (found := _set(column[side.clump]))]


def _sets(side: PieceSide, named: dict[Pieces, str], gathered: list[Pieces]) -> _Sets:
    pieces = list(dict.fromkeys([*named, *gathered]))
    names = [named.get(one, "") for one in pieces]
    return _Sets(pieces, names, np.array([one not in named for one in pieces]), _members(pieces, len(side.slot)))


def _single_pieces(side: PieceSide) -> _Sets:
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


def _overlap(sides: tuple[PieceSide, PieceSide], sets: tuple[_Sets, _Sets]) -> Floats:
    """How well sets of the source's pieces and sets of the target's belong together, (A, B): the share of both areas
    that lies on the other, and what names add."""
    (source, target), (own, others) = sides, sets
    common = source.common(own.members, others.members) + target.common(others.members, own.members).T
    areas = source.areas(own.members)[:, None] + target.areas(others.members)[None]
    overlap = common / np.maximum(areas, 1e-12) + alike_by_name(own.names, others.names)
    return np.asarray(overlap - GATHERED * (own.gathered[:, None] | others.gathered[None]))


def _best_pairs(
    sides: tuple[PieceSide, PieceSide], sets: tuple[_Sets, _Sets], overlap: Floats, least: float
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
    claim: tuple[Pieces, Pieces], sides: tuple[PieceSide, PieceSide], singles: tuple[_Sets, _Sets], overlap: Floats
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


def _names_of_claims(side: PieceSide, other: PieceSide, others: Floats) -> Floats:
    """What names add for pieces to belong to sets of the other shape's pieces, (Q, C): (P, C)."""
    alike = alike_by_name(list(side.names), list(other.names))
    best = np.zeros((len(side.slot), others.shape[1]))
    if alike.size:
        for column in range(others.shape[1]):
            best[:, column] = alike[side.slot][:, other.slot[others[:, column] > 0]].max(axis=1)
    return best
