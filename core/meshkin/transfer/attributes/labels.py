"""Labels of faces (materials, UV islands, whole numbers) by majority, with straightened borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...geometry.adjacency import opposite_triangles
from ...geometry.arrays import Integers
from .lookup import Array, MappedMesh, sample_polygons


@dataclass(frozen=True)
class LabelSettings:
    """How borders between labels are straightened. All values are chosen.

    Attributes:
        rounds: how many times.
        most_labels: with more labels than this the borders stay as they are.
        neighbors: how much the neighboring polygons' labels count together, beside 1 for the polygon's own samples.
    """

    rounds: int = 3
    most_labels: int = 512
    neighbors: float = 0.9


@dataclass(frozen=True)
class _Votes:
    """How much of each polygon has which label.

    Attributes:
        polygon: int64 (N,).
        label: int64 (N,), each pair of a polygon and a label occurs once.
        share: float64 (N,), positive.
    """

    polygon: Integers
    label: Integers
    share: NDArray[np.float64]

    def winners(self, count: int) -> Integers:
        """The label with the largest share of each of ``count`` polygons, 0 for one without any."""
        order = np.argsort(self.share, kind="stable")
        winners = np.zeros(count, np.int64)
        winners[self.polygon[order]] = self.label[order]
        return winners


def majority_labels(mapped: MappedMesh, labels: Array, settings: LabelSettings = LabelSettings()) -> Array:
    """The label of each polygon of the target, (P,): that of most of the source's surface that it comes from.

    Args:
        mapped: target and source.
        labels: (F,), of the source's triangles.
        settings: what is tuned.
    """
    samples = sample_polygons(mapped)
    distinct, number = np.unique(labels, return_inverse=True)
    votes = _add_up(samples.polygon, number[samples.face], samples.area, len(distinct))
    winners = votes.winners(mapped.polygons)
    if 1 < len(distinct) <= settings.most_labels:
        winners = _straightened(mapped.target, votes, winners, len(distinct), settings)
    return distinct[winners]


def _add_up(polygon: NDArray[np.integer], label: Integers, share: NDArray[np.float64], labels: int) -> _Votes:
    """The votes with each pair of a polygon and a label once; ``labels`` is how many labels there are."""
    key, entry = np.unique(polygon.astype(np.int64) * labels + label, return_inverse=True)
    return _Votes(key // labels, key % labels, np.asarray(np.bincount(entry, share), np.float64))


def _straightened(target: Snapshot, votes: _Votes, winners: Integers, labels: int, settings: LabelSettings) -> Integers:
    """The winners (P,) after some rounds in which the neighbors' labels count, too."""
    across = opposite_triangles(target.faces)
    triangle, side = np.nonzero(across >= 0)
    polygon, neighbor = target.polygons[triangle], target.polygons[across[triangle, side]]
    polygon, neighbor = polygon[polygon != neighbor], neighbor[polygon != neighbor]
    own = votes.share / np.bincount(votes.polygon, votes.share, len(winners))[votes.polygon]
    count = np.maximum(np.bincount(polygon, minlength=len(winners)), 1)
    for _ in range(settings.rounds):
        all_votes = _add_up(
            np.concatenate([votes.polygon, polygon]),
            np.concatenate([votes.label, winners[neighbor]]),
            np.concatenate([own, settings.neighbors / count[polygon]]),
            labels,
        )
        new = winners.copy()
        voted = all_votes.winners(len(winners))
        new[all_votes.polygon] = voted[all_votes.polygon]
        if np.array_equal(new, winners):
            break
        winners = new
    return winners
