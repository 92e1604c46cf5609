"""Textures keep to their pieces: what shows a piece of the source may show no other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ...geometry.arrays import Flags, Integers, ShortIntegers
from ..carrier import FaceGroups
from ..certainty import certainty
from ..kept_maps import kept_to
from .channels import SourceTextures
from .palettes import with_palettes_as_materials
from .piece_claims import PieceClaims, piece_claims
from .piece_sides import hidden_pieces
from .unseen import see_through, unseen_faces

MINORITY = 0.2
"""A piece that belongs to nothing shows pieces that this share of it lies on, and no crumbs of others. Chosen."""


@dataclass(frozen=True)
class PieceMap:
    """A map that keeps to the pieces of both shapes.

    Attributes:
        target: the target, cut open between groups of triangles that may show different pieces of the source.
        match: the map of this target; each of its vertices goes to a piece that it may show.
        groups: which triangles of the source each triangle of the target may show.
    """

    target: Snapshot
    match: Match
    groups: FaceGroups


def piece_map(
    source: Snapshot,
    target: Snapshot,
    match: Match,
    left_out: Collection[int] = (),
    textures: SourceTextures | None = None,
    hidden: Flags | None = None,
) -> PieceMap:
    """Keep a map to the pieces that belong together (:func:`meshkin.transfer.texture.piece_claims.piece_claims`).

    A piece of the target that belongs to one of the source shows that one alone (and what else of its material is a
    part of it, or has no other place), and no other shows it: hair goes to hair, and a lock that hangs over a shoulder
    does not show there. What belongs to nothing shows whatever the map says, but for crumbs of pieces that belong to
    others. A vertex that the map sends elsewhere goes to the nearest point that it may show, of those that face the
    same way if there are any near. What other parts hide wholly shows only where these may not. On a copy of the
    source, nothing moves.

    Args:
        source, target: the shapes.
        match: their map.
        left_out: material slots of the source that show nowhere.
        textures: the source's; colors of palettes are pieces, too.
        hidden: bool (F,), triangles of the source that show nowhere either.
    """
    shown = ~np.isin(source.materials, list(left_out))
    if hidden is not None and (shown & ~hidden).any():
        shown &= ~hidden
    if shown.all() and certainty(match.to_source, source, target).everywhere:
        return PieceMap(target, match, FaceGroups(np.zeros(len(target.faces), np.int64), shown[None]))
    colored = source if textures is None else with_palettes_as_materials(source, textures)
    clear = np.zeros(len(source.faces), bool) if textures is None else see_through(source, textures)
    nothing = np.zeros(len(target.faces), bool)
    unseen = unseen_faces(source, np.ones_like(clear), clear), unseen_faces(target, ~nothing, nothing)
    claims = piece_claims(colored, target, match.to_source, match.to_target, unseen)
    hidden_here = hidden_pieces(target, claims.target_piece, unseen[1])
    groups = _groups(claims, shown, _Hidden(source, clear, hidden_here))
    if len(groups.allowed) == 1 and groups.allowed.all():
        return PieceMap(target, match, groups)
    vertex, faces, group = _cut_open(target, groups.of_target)
    cut = replace(target, vertices=target.vertices[vertex], faces=faces, parts=target.parts[vertex])
    to_source = kept_to(match.to_source.at(vertex), group, groups.allowed, source)
    return PieceMap(cut, replace(match, to_source=to_source, target_faces=faces), groups)


@dataclass(frozen=True)
class _Hidden:
    """What is needed to leave out what nobody sees.

    Attributes:
        source: the source.
        clear: bool (F,), its triangles that do not hide what lies behind.
        target_pieces: bool (Q,), pieces of the target that nobody sees either; they may show what is hidden.
    """

    source: Snapshot
    clear: Flags
    target_pieces: Flags


def _groups(claims: PieceClaims, shown: Flags, hidden: _Hidden) -> FaceGroups:
    """The groups of the target's triangles; ``shown`` (F,) are the source's that may show at all. Of what a group may
    show, what the rest of that hides shows nowhere: skin under a helmet, where the helmet may show."""
    claim = claims.source_claim[claims.source_piece]
    rows = []
    for piece, number in enumerate(claims.target_claim.tolist()):
        own = (claims.source_claim == number) | claims.parts[piece]
        allowed = shown & (own[claims.source_piece] if number >= 0 else _unclaimed(claims, claim, piece))
        rows.append(np.append(allowed if allowed.any() else shown, hidden.target_pieces[piece]))
    found, of_piece = np.unique(np.stack(rows), axis=0, return_inverse=True)
    allowed = found[:, :-1].copy()
    for row in np.flatnonzero(~found[:, -1]).tolist():
        allowed[row] &= ~unseen_faces(hidden.source, allowed[row], hidden.clear)
    return FaceGroups(of_piece.reshape(-1)[claims.target_piece], allowed)


def _unclaimed(claims: PieceClaims, claim: Integers, piece: int) -> Flags:
    """What a piece of the target that belongs to nothing may show: what else belongs to nothing, and what much of it
    lies on."""
    return np.isin(claim, [-1, *np.flatnonzero(claims.shares[piece] >= MINORITY)])


def _cut_open(target: Snapshot, group: Integers) -> tuple[Integers, ShortIntegers, Integers]:
    """Cut the target open between groups of triangles (G,).

    Returns:
        for each vertex then, the vertex that it was (W,); the triangles (G, 3); and the group of each vertex (W,).
    """
    count = int(group.max()) + 1
    corner = target.faces.astype(np.int64) * count + group[:, None]
    loose = np.setdiff1d(np.arange(len(target.vertices)), target.faces) * count
    keys, row = np.unique(np.concatenate((corner.ravel(), loose)), return_inverse=True)
    faces = row.reshape(-1)[: corner.size].reshape(-1, 3).astype(np.int32)
    return np.asarray(keys // count), faces, np.asarray(keys % count)
