"""Loose parts that a character holds or wears and the other one lacks: a weapon, a backpack, a horn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...data.surface_map import SurfaceMap
from ...geometry.adjacency import LooseParts
from ...geometry.arrays import AnyFloats, Flags
from ...geometry.mesh import bounding_diagonal


@dataclass(frozen=True)
class HeldPartSettings:
    """What counts as held. Lengths are in diagonals of a character's bounding box. All values are chosen.

    On the 34 pairs of tests/benchmarks/characters.py, 15 parts are held by these values; the artists have weighted all
    of them to one bone.

    Attributes:
        smallest: extent below which a part is not looked at.
        sampled: so many vertices, up to twice as many, are looked at: all might have their answers at one place.
        fewest: a part of which fewer of these are seen is not looked at.
        same_place: answers that lie this near each other on the source are at one place.
        claimed: a part has no counterpart if other parts, of which the map is surer, have this share of its answers.
        sure: mean confidence of the map from which it is asked: where a map is poor, arms are claimed by weapons as
            well. Measured on five poor maps of people and cartoons: 3 of 21 such parts were arms.
        near: distance up to which a vertex lies on the body.
        lying: what lies on the body with more than this share of its vertices is worn like skin, and bends.
        touching: so many vertices, at most, are where the body holds a part.
        ruled: a held part follows the bone that has more than this share of its own weights, if one does.
    """

    smallest: float = 0.03
    sampled: int = 4_000
    fewest: int = 8
    same_place: float = 0.02
    claimed: float = 0.7
    sure: float = 0.5
    near: float = 0.02
    lying: float = 0.5
    touching: int = 8
    ruled: float = 0.5


def keep_held_parts_rigid(
    rows: AnyFloats,
    parts: LooseParts,
    target: Snapshot,
    source: Snapshot,
    to_source: SurfaceMap,
    settings: HeldPartSettings = HeldPartSettings(),
) -> AnyFloats:
    """The weights (V, B) with what the target holds made to follow one bone.

    A map has an answer for everything. That of a weapon or a backpack that the source lacks lies on an arm or a back,
    for which the target has a part of its own already, and would bend it as these bend. So a loose part is held if the
    target's other parts have its answers, with more confidence, and if it touches these parts but does not lie on them.
    It follows the bone that rules it, or else where it is held.
    What lies on a held part, and has no counterpart either, goes with it. Where the map is poor nothing is held.

    Args:
        rows: (V, B), the weights so far.
        parts: the target's loose parts.
        target, source: the two shapes.
        to_source: every target vertex's point on the source.
        settings: what counts as held.
    """
    if to_source.confidence.mean() < settings.sure:
        return rows
    alone = _without_counterpart(parts, target, source, to_source, settings)
    weighted = np.asarray(rows.any(axis=1))
    body = np.flatnonzero(~alone[parts.of_vertex] & weighted)
    if not alone.any() or not len(body):
        return rows
    points = np.asarray(target.vertices, np.float64)
    near = settings.near * bounding_diagonal(points)
    away, nearest = cKDTree(points[body]).query(points)
    result, held = rows.copy(), np.zeros(len(alone), bool)
    for part in np.flatnonzero(alone):
        own = np.flatnonzero(parts.of_vertex == part)
        if away[own].min() <= near and (away[own] <= near).mean() <= settings.lying:
            touching = own[np.argsort(away[own])[: settings.touching]]
            result[own] = _of_ruling_bone(rows[own], rows[body[nearest[touching]]], settings.ruled)
            held[part] = True
    holding = np.flatnonzero(held[parts.of_vertex])
    if len(holding):
        from_held, nearest = cKDTree(points[holding]).query(points)
        for part in np.flatnonzero(alone & ~held):
            own = np.flatnonzero(parts.of_vertex == part)
            if 2 * (from_held[own] < away[own]).sum() > len(own):
                result[own] = _of_ruling_bone(rows[own], result[holding[nearest[own]]], settings.ruled)
    return result


def _without_counterpart(
    parts: LooseParts, target: Snapshot, source: Snapshot, to_source: SurfaceMap, settings: HeldPartSettings
) -> Flags:
    """The parts (P,) most of whose answers other parts have, of which the map is surer."""
    part, count = parts.of_vertex, len(parts.diagonals)
    seen = np.arange(0, len(part), max(1, len(part) // settings.sampled))
    of_seen = part[seen]
    counts = np.bincount(of_seen, minlength=count)
    smallest = settings.smallest * bounding_diagonal(target.vertices)
    looked_at = (counts >= settings.fewest) & (parts.diagonals >= smallest)
    if looked_at.sum() < 2:
        return np.zeros(count, bool)
    sure = np.bincount(of_seen, to_source.confidence[seen], count) / np.maximum(counts, 1)
    answers = to_source.at(seen).pull(source.vertices.astype(np.float64), source.faces)
    same_place = settings.same_place * bounding_diagonal(source.vertices)
    pairs = cKDTree(answers).query_pairs(same_place, output_type="ndarray")
    pairs = np.concatenate((pairs, pairs[:, ::-1]))
    surer = sure[of_seen[pairs[:, 1]]] > sure[of_seen[pairs[:, 0]]]
    claimed = np.zeros(len(seen), bool)
    claimed[pairs[surer, 0]] = True
    share = np.bincount(of_seen, claimed, count) / np.maximum(counts, 1)
    return np.asarray(looked_at & (share >= settings.claimed))


def _of_ruling_bone(own: AnyFloats, holding: AnyFloats, least: float) -> AnyFloats:
    """One for the bone (B,) that has more than a share of a part's own weights (N, B), or else most of the weights
    (M, B) of what holds it; zero for the others."""
    total = own.sum(axis=0)
    rules = total if total.max() > least * total.sum() else holding.sum(axis=0)
    return np.asarray(np.arange(len(rules)) == rules.argmax(), own.dtype)
