"""The fit of one window of a clip's frames, all at once.

It goes from coarse to fine: first the whole, then with its large bones, then with all. Left and right of matches may be
confused: the fit begins with all that shows a limb as the near one, and is then told in turn which side each limb is of
(``sides.py``). Outlines count only at the end: before, they would hold a limb behind the one that hides it. Last, limbs
are exchanged where they pass each other, and what fits better is kept (``exchanging.py``).

Source of the terms: BANMo (CVPR 2022), DreaMo (WACV 2025) and Puppeteer (NeurIPS 2025), with a known mesh in place of a
radiance field. These descend by Adam; of a mesh the derivatives are known, and damped steps of Gauss and Newton reach
the minimum, which Adam did not in 1500 steps: one camera tells far less about depth than about the picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .evidence import Evidence, gather
from .exchanging import limb_pairs, passing
from .residuals import Residuals, bone_directions, limited
from .settings import FitSettings
from .sides import on_sides, shown_points
from .skinning import BoneTree, posed
from .sliding import sliding
from .solver import minimize
from .state import PoseState, Stage, stages

LIKELY_TRIES = 10
"""Times that limbs are exchanged in a window, about, by which progress is told. Measured on walks: 8."""


@dataclass(frozen=True)
class WindowFit:
    """What all windows have in common, in units of the shape; ``size`` of the object in the picture, pixels."""

    clip: Clip
    size: float
    shape: PosableShape
    cameras: Floats
    settings: FitSettings

    def run(self, frames: slice, motion: Motion, held: NDArray[np.bool_], report: ProgressCallback) -> Motion:
        """Fit the frames of a window that are not held; the others count for what is smooth."""
        evidence = gather(self.clip.part(frames), self.size, self.shape, self.cameras[frames], self.settings)
        first, last = stages(self.shape, self.settings)
        tries = LIKELY_TRIES if self.settings.exchange_rounds else 0
        rounds = _Rounds(torch.from_numpy(held), report, len(first) + len(last) + tries)
        state = PoseState.of(motion)
        for stage in first:
            near = self._told(frames, evidence, state, all_covered=self.settings.near_first)
            state = rounds.run(stage, self._residuals(near, stage), state)
        for stage in last:
            state = rounds.run(stage, self._tight(self._told(frames, evidence, state), stage, state), state)
        if self.settings.side_looks and self.settings.exchange_rounds:
            state = self._exchanged(frames, evidence, state, rounds, last[-1])
        within = limited(state.turns, torch.from_numpy(self.shape.limits))
        return restored(replace(state, turns=within).motion(), motion, held)

    def _exchanged(
        self, frames: slice, evidence: Evidence, state: PoseState, rounds: _Rounds, stage: Stage
    ) -> PoseState:
        """The state in which limbs that were taken for each other are exchanged, where that fits better."""
        again = replace(stage, rounds=self.settings.exchange_rounds)
        settings = self._spread(self._told(frames, evidence, state), stage, state)

        def fitted(tried: PoseState) -> tuple[float, PoseState]:
            residuals = self._residuals(self._told(frames, evidence, tried), stage, settings)
            tried = rounds.run(again, residuals, tried)
            told = self._residuals(self._told(frames, evidence, tried), stage, settings)
            return told.cost(tried, stage.freedom), tried

        least, best = fitted(state)
        for pair in limb_pairs(self.shape):
            for part in passing(pair, self.shape, best, self.cameras[frames]):
                cost, tried = fitted(pair.exchanged(best, self.shape.rest, part & ~rounds.held.numpy()))
                if cost < least:
                    least, best = cost, tried
        return best

    def _residuals(self, evidence: Evidence, stage: Stage, settings: FitSettings | None = None) -> Residuals:
        settings = settings or self.settings
        if settings.anchor_count and not stage.with_outlines:
            settings = replace(settings, silhouette_count=0)
        return Residuals(BoneTree.of(self.shape), evidence, self.shape, settings)

    def _tight(self, evidence: Evidence, stage: Stage, state: PoseState) -> Residuals:
        """What a stage minimizes once all bones were fitted."""
        return self._residuals(evidence, stage, self._spread(evidence, stage, state))

    def _spread(self, evidence: Evidence, stage: Stage, state: PoseState) -> FitSettings:
        """The settings by which anchors count as far as they agree.

        Those of a match err alike where they are neighbors; believed ones err each by itself.
        """
        settings = self.settings
        error = float(self._residuals(evidence, stage).anchor_distances(state).median())
        spread = min(settings.anchors, max(settings.best_anchors, error))
        count = settings.anchor_count
        if not settings.side_looks:
            count *= min(settings.anchors / spread, settings.most_counted)
        return replace(settings, anchors=spread, anchor_count=count)

    def _told(self, frames: slice, evidence: Evidence, state: PoseState, all_covered: bool = False) -> Evidence:
        """The evidence with the sides of limbs told by what covers what, as posed; or all by the near limb.

        Along limbs it counts less.
        """
        if not self.settings.side_looks:
            return evidence
        moved, vertices = posed(self.shape, state.motion())
        shown = None
        if not all_covered:
            place = evidence.place.numpy() * self.size + np.array(self.clip.masks.shape[:0:-1]) / 2
            shown = shown_points(self.clip.part(frames), self.shape, vertices, self.cameras[frames], place)
        told = on_sides(evidence, torch.from_numpy(moved), shown)
        return sliding(told, self.shape, state, torch.from_numpy(bone_directions(self.shape)))


@dataclass
class _Rounds:
    """Runs stages, and tells the progress: ``done`` of ``count``."""

    held: torch.Tensor
    report: ProgressCallback
    count: int
    done: int = 0

    def run(self, stage: Stage, residuals: Residuals, state: PoseState) -> PoseState:
        def told(share: float) -> None:
            self.report(stage.name, min((self.done + share) / self.count, 1.0))

        found = minimize(residuals, state, stage.freedom, self.held, stage.rounds, told)
        self.done += 1
        return found


def restored(motion: Motion, before: Motion, held: NDArray[np.bool_]) -> Motion:
    """A motion that in held frames is exactly what it was before."""
    turns, shifts, root = motion.turns.copy(), motion.shifts.copy(), motion.root.copy()
    turns[held], shifts[held], root[held] = before.turns[held], before.shifts[held], before.root[held]
    return Motion(turns, shifts, root)
