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
from .exchanging import limb_pairs, passing, where_exchanged
from .residuals import Residuals, bone_directions, limited
from .settings import FitSettings
from .sides import on_sides, shown_points
from .skinning import BoneTree, posed
from .sliding import sliding
from .solver import minimize
from .state import PoseState, Stage, stages

WHERE_SHOWN = 0.01
"""Standard deviation of places to which limbs are brought as they are exchanged. Chosen."""
TELLING_COST = 800.0
"""Cost of a frame up to which it tells views, and whether all limbs are exchanged: above, bodies differ by more than
these do. Measured: 140 to 510 for characters' own videos, 1330 for a dog that follows a wolf."""
LEAST_SAVING = 0.05
"""Share by which the cost must fall for all limbs exchanged. Measured: by 13 to 25 % where that is right; else it
rises."""
NEARLY = 1.2
"""How many times what a fit costs it may cost, halfway, once all limbs are exchanged, to be fitted further. Chosen."""
FIRST_STEPS = 2
"""Steps after which limbs that are exchanged are looked at. Chosen."""
HOPELESS = 1.5
"""How many times what limbs cost before they may cost then, once exchanged; else they are left as they were. Measured
on a gallop: 1.2 of limbs that stayed exchanged, 1.1 to 2.2 of others."""
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
        if self.settings.side_looks and self.settings.all_exchange_rounds:
            state = self._all_exchanged(frames, evidence, state, rounds, last[-1])
        if self.settings.side_looks and self.settings.exchange_rounds:
            state = self._exchanged(frames, evidence, state, rounds, last[-1])
        within = limited(state.turns, torch.from_numpy(self.shape.limits))
        return restored(replace(state, turns=within).motion(), motion, held)

    def cost(self, frames: slice, motion: Motion) -> float:
        """The sum of squares of a motion in a window."""
        evidence = gather(self.clip.part(frames), self.size, self.shape, self.cameras[frames], self.settings)
        return self._plain_cost(frames, evidence, PoseState.of(motion))

    def _plain_cost(self, frames: slice, evidence: Evidence, state: PoseState) -> float:
        """The cost of a state, matches counting as little as before it was known how well they agree.

        Matches with limbs that are taken for each other agree with them.
        """
        last = stages(self.shape, self.settings)[1][-1]
        return self._residuals(self._told(frames, evidence, state), last).cost(state, last.freedom)

    def _all_exchanged(
        self, frames: slice, evidence: Evidence, state: PoseState, rounds: _Rounds, stage: Stage
    ) -> PoseState:
        """The state in which all limbs were taken for their mirror images and are exchanged, if that fits better.

        From aside, a body turned a little to the camera looks like one turned away with exchanged limbs: only together,
        and with the whole, they fit.
        """
        pairs, is_free, least = limb_pairs(self.shape), ~rounds.held.numpy(), self._plain_cost(frames, evidence, state)
        if not pairs or least > TELLING_COST * len(is_free):
            return state
        settings, exchanged = self._spread(self._told(frames, evidence, state), stage, state), state
        again = replace(stage, rounds=self.settings.all_exchange_rounds)
        for pair in pairs:
            exchanged = pair.exchanged(exchanged, self.shape.rest, is_free)
        places = where_exchanged(self.shape, pairs, state, evidence, is_free)
        loose = replace(self.settings, silhouette_count=0, anchors=WHERE_SHOWN)
        exchanged = rounds.run(again, self._residuals(places, stage, loose), exchanged)
        for most in (NEARLY, 1 - LEAST_SAVING):
            told = self._told(frames, evidence, exchanged)
            exchanged = rounds.run(again, self._residuals(told, stage, settings), exchanged)
            if self._plain_cost(frames, evidence, exchanged) > most * least:
                return state
        return exchanged

    def _exchanged(
        self, frames: slice, evidence: Evidence, state: PoseState, rounds: _Rounds, stage: Stage
    ) -> PoseState:
        """The state in which limbs that were taken for each other are exchanged, where that fits better."""
        settings = self._spread(self._told(frames, evidence, state), stage, state)
        state = rounds.run(
            replace(stage, rounds=self.settings.exchange_rounds),
            self._residuals(self._told(frames, evidence, state), stage, settings),
            state,
        )
        for pair in limb_pairs(self.shape):
            for part in passing(pair, self.shape, state, self.cameras[frames]):
                is_tried = part & ~rounds.held.numpy()
                exchanged = pair.exchanged(state, self.shape.rest, is_tried)
                state = self._better_part(frames, evidence, (state, exchanged), is_tried, (rounds, stage, settings))
        return state

    def _better_part(
        self,
        frames: slice,
        evidence: Evidence,
        states: tuple[PoseState, PoseState],
        is_tried: NDArray[np.bool_],
        fit: tuple[_Rounds, Stage, FitSettings],
    ) -> PoseState:
        """The first of two states, or the second, fitted once more in these frames (T,), if that fits better.

        Only these frames are looked at, and those around them with which they move smoothly.
        """
        rounds, stage, settings = fit
        tried_frames = np.flatnonzero(is_tried)
        if not len(tried_frames):
            return states[0]
        near = slice(max(0, int(tried_frames[0]) - 2), min(len(is_tried), int(tried_frames[-1]) + 3))
        of_clip = slice(frames.start + near.start, frames.start + near.stop)
        shown, held = evidence.part(near), torch.from_numpy(~is_tried[near])

        def residuals(state: PoseState) -> Residuals:
            return self._residuals(self._told(of_clip, shown, state), stage, settings)

        before, tried = (state.part(near) for state in states)
        least = residuals(before).cost(before, stage.freedom)
        left = self.settings.exchange_rounds
        for count, most in ((FIRST_STEPS, HOPELESS), (left - FIRST_STEPS, 1.0)):
            tried = rounds.run(replace(stage, rounds=count), residuals(tried), tried, held)
            if residuals(tried).cost(tried, stage.freedom) >= most * least:
                return states[0]
        return states[0].with_part(near, tried)

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
        directions = torch.from_numpy(bone_directions(self.shape))
        return sliding(told, self.shape, state, directions, self.settings.sliding)


@dataclass
class _Rounds:
    """Runs stages, and tells the progress: ``done`` of ``count``."""

    held: torch.Tensor
    report: ProgressCallback
    count: int
    done: int = 0

    def run(self, stage: Stage, residuals: Residuals, state: PoseState, held: torch.Tensor | None = None) -> PoseState:
        """The state after a stage; ``held`` (T,) other than those of the window."""
        held = self.held if held is None else held

        def told(share: float) -> None:
            self.report(stage.name, min((self.done + share) / self.count, 1.0))

        found = minimize(residuals, state, stage.freedom, held, stage.rounds, told)
        self.done += 1
        return found


def restored(motion: Motion, before: Motion, held: NDArray[np.bool_]) -> Motion:
    """A motion that in held frames is exactly what it was before."""
    turns, shifts, root = motion.turns.copy(), motion.shifts.copy(), motion.root.copy()
    turns[held], shifts[held], root[held] = before.turns[held], before.shifts[held], before.root[held]
    return Motion(turns, shifts, root)
