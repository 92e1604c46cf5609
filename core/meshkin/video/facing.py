"""From which side a video shows a character, told by fits: views that features cannot tell apart.

Seen from aside, an animal looks to a network nearly alike over 30 degrees, but matched as from the wrong view it bends,
and its legs are taken for each other. A few frames matched as turned to either side and fitted tell by what that costs.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ..base.progress import ProgressCallback
from ..data.photo_map import PhotoMap
from ..data.views import frame
from ..matching.photo.photograph import Photograph
from ..matching.photo.pipeline import match_in_view
from ..matching.photo.pose import Pose
from ..matching.photo.settings import FramingSettings
from .clip import PosableShape
from .posing import fit_motion, motion_cost
from .rematching import VIEW_CELLS, DescribedShape, MatchedFrames
from .settings import FitSettings
from .window import TELLING_COST

VIEW_STEP = 15.0
"""Degrees by which views are turned about the upright axis. Chosen: those of the directions that are ranked."""
MOST_TURNS = 3
"""Turns to one side, at most. Measured: the views chosen by features alone are up to 32 degrees off."""
TRIED_FRAMES = 8
"""Frames in the middle of a shot by which its view is told. Chosen: matching and fitting them takes seconds; six, every
other one, did not tell a deer's."""
WORTH_TURNING = 0.2
"""Share by which the cost of a view must be less than that of any that is turned less. Measured: the best ones cost 35
and 41 % less than the ones first chosen where these were wrong, 12 % less where they were right, and 10 to 15 % less
than views 15 degrees nearer that were right."""
FEWEST_FRAMES = 4
"""Frames of a shot from which its view is told. Chosen: what moves tells more than one picture."""
ALL_EXCHANGE_ROUNDS = 5
"""Steps of a fit to matches with the shape at rest in which all limbs are exchanged. Chosen."""


def in_best_views(
    frames: MatchedFrames, known: DescribedShape, shape: PosableShape, settings: FitSettings, report: ProgressCallback
) -> tuple[MatchedFrames, bool]:
    """Frames matched with the shape at rest, turned to the view from which it is seen; shot by shot.

    Args:
        frames: as matched by the views that fit best.
        known: the shape's features.
        shape: the character.
        settings: of the fits that tell.
        report: is told the progress.

    Returns:
        the frames, and whether they show another individual: no pose of this one looks like them. Their views are left,
        as costs do not tell these then.
    """
    maps, is_another = list(frames.maps), False
    shots = np.cumsum(~np.append(True, frames.footage.clip.joined))
    for shot in range(shots[-1] + 1):
        numbers = np.flatnonzero((shots == shot) & np.array([each is not None for each in maps]))
        first = max(0, (len(numbers) - TRIED_FRAMES) // 2)
        tried = numbers[first : first + TRIED_FRAMES]
        if len(tried) < FEWEST_FRAMES:
            continue
        turn = _best_turn(frames.picked(tried), known, shape, settings, report)
        is_another |= turn is None
        if turn:
            for number in numbers:
                report("Matching the turned frames", number / len(maps))
                if (before := maps[number]) is not None:
                    maps[number] = _turned(before, turn, known)
    return replace(frames, maps=maps), is_another


def _best_turn(
    frames: MatchedFrames, known: DescribedShape, shape: PosableShape, settings: FitSettings, report: ProgressCallback
) -> int | None:
    """How often the views of frames are to be turned: as little as explains them nearly best. None if nothing does."""
    settings = replace(settings, all_exchange_rounds=ALL_EXCHANGE_ROUNDS)

    def cost(turn: int) -> float:
        maps = [_turned(each, turn, known) if turn and each is not None else each for each in frames.maps]
        clip = replace(frames, maps=maps).footage.clip
        return motion_cost(clip, shape, *fit_motion(clip, shape, settings, report=report), settings)

    first = cost(0)
    if first > TELLING_COST * len(frames.maps):
        return None
    for way in (1, -1):
        costs = [first]
        for number in range(1, MOST_TURNS + 1):
            costs.append(cost(way * number))
            if costs[-1] >= costs[-2]:
                break
        if min(costs) < first:
            return way * int(np.argmax(np.array(costs) <= min(costs) / (1 - WORTH_TURNING)))
    return 0


def _turned(before: PhotoMap, turn: int, known: DescribedShape) -> PhotoMap:
    """A frame matched as seen from elsewhere."""
    x, y, z, is_mirrored, score = before.poses[0]
    direction = Rotation.from_euler("z", VIEW_STEP * turn, degrees=True).apply((x, y, z))
    vertices = known.snapshot.vertices[np.unique(known.snapshot.faces)]
    pose = Pose(bool(is_mirrored), float(score), frame(vertices, direction[None], VIEW_CELLS))
    photograph = Photograph("", before.photo, before.mask)
    return match_in_view(
        photograph, known.snapshot, known.features, known.recipe, pose, known.device, framing=FramingSettings()
    )
