"""A character's motion fitted to frames that are matched again, in turn, with the shape as it was posed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from .clip import Motion, PosableShape
from .facing import ALL_EXCHANGE_ROUNDS, in_best_views
from .fitting import Fitted, fit_video_motion
from .lens import fitted_focal
from .recurring import far_limbs_found
from .rematching import DescribedShape, MatchedFrames, match_again
from .settings import FitSettings, for_another_body
from .window import restored

REMATCHES = 2
"""Times that frames are matched again. Measured on walking animals, joints on the visible side and intersection over
union, by the first match, the second, and the third: deer 15.2, 14.2 and 13.8 % of its height, .91, .92 and .93; wolf
(every third frame) 12.1, 9.9 and 8.9 %, .91, .92 and .94; wolf (each frame) 7.5, 7.6 and 7.6 %, .936, .939 and .940."""
FIRST_SLIDING = 3.0
"""How many times farther matches err along a limb than across it in the first fit: where on a limb matches lie tells
legs apart, which the next fits keep. Measured: a horse's visible joints 7.7 % of its height, for 9.5 with ten."""
EXCHANGE_ROUNDS = 5
"""Steps of the last fit for each time that limbs are exchanged. Chosen: costs of right and wrong limbs then differ by a
third on a walking wolf."""


def fit_and_match(
    frames: MatchedFrames,
    known: DescribedShape,
    shape: PosableShape,
    settings: FitSettings = FitSettings(),
    start: Motion | None = None,
    held: NDArray[np.bool_] | None = None,
    report: ProgressCallback = silent,
) -> tuple[MatchedFrames, Fitted]:
    """Fit a motion to frames, match them with the shape as it was posed, and fit again, in turn.

    Args:
        frames: as they were matched with the shape at rest.
        known: the shape's features.
        shape: the character; its vertices are those of ``known``.
        settings, start, held, report: as of :func:`meshkin.video.fitting.fit_video_motion`. What beside the motion is
            asked for is fitted at the end.

    Returns:
        the frames as they were matched at last, and what was fitted to them.
    """
    is_held = np.zeros(len(frames.maps), bool) if held is None else held
    steps, motion_only = 2 * REMATCHES + 2, replace(settings, fit_focal=False, fit_shape=False)
    frames, is_another = in_best_views(frames, known, shape, motion_only, _part(report, 0, steps))
    if is_another:
        settings, motion_only = for_another_body(settings), for_another_body(motion_only)
    motion_only = replace(motion_only, all_exchange_rounds=ALL_EXCHANGE_ROUNDS, sliding=FIRST_SLIDING)
    for number in range(REMATCHES):
        fit_told, match_told = (_part(report, 2 * number + step, steps) for step in (1, 2))
        clip = frames.footage.clip
        fitted = fit_video_motion(clip, shape, motion_only, start, held, fit_told)
        start = restored(far_limbs_found(fitted.motion, fitted.cameras, clip, shape), fitted.motion, is_held)
        motion_only = replace(_going_on(motion_only), sliding=settings.sliding)
        frames = replace(frames, maps=match_again(frames, known, shape, replace(fitted, motion=start), match_told))
    clip, told = frames.footage.clip, _part(report, steps - 1, steps)
    if settings.fit_focal:
        clip = replace(clip, focal=fitted_focal(clip, shape, settings, told))
    last = replace(motion_only, fit_shape=settings.fit_shape, exchange_rounds=EXCHANGE_ROUNDS)
    return frames, fit_video_motion(clip, shape, last, start, held, told)


def _going_on(settings: FitSettings) -> FitSettings:
    """Settings of a fit that starts from the one before. Steps are chosen."""
    return replace(settings, near_first=False, root_rounds=2, limb_rounds=2, all_rounds=6, all_exchange_rounds=0)


def _part(report: ProgressCallback, number: int, count: int) -> ProgressCallback:
    """Tells the progress of one of several steps."""
    return lambda stage, share: report(stage, (number + share) / count)
