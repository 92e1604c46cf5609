"""Whether the source's pictures go on at spots of the target's seams, or have a border of their own there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ...data.snapshot import Snapshot
from ...geometry.arrays import Flags, Floats, Integers, Singles
from ..carrier import Correspondence
from .channel_sampling import ChannelSampler
from .seams import SeamSpots
from .settings import StitchingSettings
from .source_seams import source_seams


@dataclass(frozen=True)
class SpotsOnSource:
    """Spots of the target's seams and what they show of the source.

    Attributes:
        spots: the spots, (N,).
        positions: float64 (N, 3), where they lie on the source.
        texel_length: float32 (N,), how long a texel is there.
        one_island: bool (N,), where all texels come from one island and material of the source.
        filled: bool (N,), where the picture does not come from the source.
    """

    spots: SeamSpots
    positions: Floats
    texel_length: Singles
    one_island: Flags
    filled: Flags


class ContrastLimits:
    """How far the texels at each spot may be apart for them to be one picture; computed when first asked for."""

    def __init__(
        self, spots: SpotsOnSource, sampler: ChannelSampler, source: Snapshot, settings: StitchingSettings
    ) -> None:
        """Prepare the source's seams.

        Args:
            spots: the spots.
            sampler: the values of the source's channels.
            source: the source.
            settings: what counts as a border.
        """
        self._spots, self._sampler, self._settings = spots, sampler, settings
        self._known = spots.filled.copy()
        self._limits = np.full((len(spots.positions), len(sampler.columns)), np.inf, np.float32)
        spacing = settings.seam_reach * float(np.median(spots.texel_length))
        self._seams = source_seams(source, sampler.uv_layouts, spacing, sampler.lengths_of_change())
        self._tree = cKDTree(self._seams.points) if len(self._seams.points) else None

    def of(self, rows: Integers, channel: int) -> Singles:
        """The limits at some spots (K,) for one channel, float32 (K,)."""
        new = rows[~self._known[rows]]
        self._limits[new], self._known[new] = self._computed(new), True
        return np.asarray(self._limits[rows, channel])

    def _computed(self, rows: Integers) -> Singles:
        """The limits at some spots for all channels, float32 (K, channels).

        There is no limit where the texels come from one island, or were filled in. Where they come from several, and
        the source's picture goes on across its seam, the limit follows from what the picture changes by beside the
        seam. Where it does not go on, or no seam of the source is near, the limit is ``own_step``.
        """
        settings, seams = self._settings, self._seams
        one_island = self._spots.one_island[rows]
        limits = np.full((len(rows), len(self._sampler.columns)), settings.own_step, np.float32)
        limits[one_island] = np.inf
        if self._tree is None or not len(rows):
            return limits
        count = min(settings.near_places, len(seams.points))
        away, near = self._tree.query(self._spots.positions[rows], k=count)
        reach = np.where(one_island, settings.seam_reach, settings.islands_reach) * self._spots.texel_length[rows]
        row, column = np.nonzero(away.reshape(-1, count) <= reach[:, None])
        if not len(row):
            return limits
        near_place = near.reshape(-1, count)[row, column]
        place, first, inverse = np.unique(near_place, return_index=True, return_inverse=True)
        step, slope = self._changes(place, rows[row[first]])
        for channel, columns in enumerate(self._sampler.columns):
            change = slope[:, columns].max(axis=1)
            is_border = step[:, columns].max(axis=1) > settings.own_step + change
            broken = np.zeros(len(rows), bool)
            broken[row[is_border[inverse]]] = True
            most = np.zeros(len(rows), np.float32)
            np.maximum.at(most, row, change[inverse])
            limits[~one_island, channel] = settings.own_step + settings.slopes * most[~one_island]
            limits[broken, channel] = settings.own_step
        return limits

    def _changes(self, place: Integers, spot: Integers) -> tuple[Singles, Singles]:
        """What the source's values change by at places along its seams, float32 (M, C) each: across the seam, and
        beside it on both sides together. ``spot`` (M,) is a spot near each place, in whose frame normals are seen."""
        spots = self._spots.spots
        target_face, target_weights = spots.faces[0, spot], spots.weights[0, spot]

        def values(side: int, weights: Singles) -> Singles:
            points = Correspondence(target_face, target_weights, self._seams.faces[side, place], weights[side, place])
            return self._sampler.surface_values(points)

        first, second = (values(side, self._seams.weights) for side in (0, 1))
        beside_first, beside_second = (values(side, self._seams.weights_beside) for side in (0, 1))
        return np.abs(first - second), np.abs(first - beside_first) + np.abs(second - beside_second)
