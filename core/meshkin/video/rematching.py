"""Frames of a video matched once more with the shape as it was posed: it then looks like the frame, limb by limb.

The first match compares a frame with the shape at rest, whose legs are elsewhere and hide other things. Posed as it was
fitted and seen by the fitted camera, each part lies near where the frame shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..data.features import Features
from ..data.photo_map import PhotoMap
from ..data.recipe import Recipe
from ..data.snapshot import Snapshot
from ..data.views import Views
from ..features import photo as photo_features
from ..geometry.arrays import Floats
from ..matching.photo.photograph import Photograph
from ..matching.photo.pipeline import match_in_view
from ..matching.photo.pose import Pose
from .clip import Motion, PosableShape
from .drawing import to_camera
from .fitting import Fitted, fit_video_motion
from .lens import fitted_focal
from .reading import Footage, footage
from .recurring import far_limbs_found
from .settings import FitSettings
from .skinning import posed
from .window import restored

REMATCHES = 2
"""Times that frames are matched again. Measured on walking animals, joints on the visible side and intersection over
union, by the first match, the second, and the third: deer 15.2, 14.2 and 13.8 % of its height, .91, .92 and .93; wolf
(every third frame) 12.1, 9.9 and 8.9 %, .91, .92 and .94; wolf (each frame) 7.5, 7.6 and 7.6 %, .936, .939 and .940."""
EXCHANGE_ROUNDS = 5
"""Steps of the last fit for each time that limbs are exchanged. Chosen: costs of right and wrong limbs then differ by a
third on a walking wolf."""
VIEW_CELLS = 48
"""Cells of a view, each way. Chosen: as of views of photographs; matching makes its own."""


@dataclass(frozen=True)
class DescribedShape:
    """A shape at rest with its features, the recipe of these, and what computes."""

    snapshot: Snapshot
    features: Features
    recipe: Recipe
    device: str


@dataclass(frozen=True)
class MatchedFrames:
    """Frames of a video with their matches.

    Attributes:
        maps: None for frames that show nothing.
        focal: focal length, widths of the picture.
        cameras: (T, 4, 4), where they are known.
    """

    maps: Sequence[PhotoMap | None]
    focal: float
    cameras: Floats | None = None

    @property
    def footage(self) -> Footage:
        """What they show; raises as :func:`meshkin.video.reading.footage`."""
        shown = footage(self.maps, self.focal)
        return shown if self.cameras is None else replace(shown, clip=replace(shown.clip, cameras=self.cameras))


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
    steps, motion_only = 2 * REMATCHES + 1, replace(settings, fit_focal=False, fit_shape=False)
    for number in range(REMATCHES):
        fit_told, match_told = (_part(report, 2 * number + step, steps) for step in (0, 1))
        clip = frames.footage.clip
        fitted = fit_video_motion(clip, shape, motion_only, start, held, fit_told)
        start = restored(far_limbs_found(fitted.motion, fitted.cameras, clip, shape), fitted.motion, is_held)
        motion_only = _going_on(motion_only)
        frames = replace(frames, maps=match_again(frames, known, shape, replace(fitted, motion=start), match_told))
    clip, told = frames.footage.clip, _part(report, steps - 1, steps)
    if settings.fit_focal:
        clip = replace(clip, focal=fitted_focal(clip, shape, settings, told))
    last = replace(motion_only, fit_shape=settings.fit_shape, exchange_rounds=EXCHANGE_ROUNDS)
    return frames, fit_video_motion(clip, shape, last, start, held, told)


def _going_on(settings: FitSettings) -> FitSettings:
    """Settings of a fit that starts from the one before. Steps are chosen."""
    return replace(settings, near_first=False, root_rounds=2, limb_rounds=2, all_rounds=6)


def _part(report: ProgressCallback, number: int, count: int) -> ProgressCallback:
    """Tells the progress of one of several steps."""
    return lambda stage, share: report(stage, (number + share) / count)


def match_again(
    frames: MatchedFrames,
    known: DescribedShape,
    shape: PosableShape,
    fitted: Fitted,
    report: ProgressCallback = silent,
) -> list[PhotoMap | None]:
    """Match frames with a shape as a fit has posed it; arguments as of :func:`fit_and_match`."""
    _, vertices = posed(shape, fitted.motion)
    found: list[PhotoMap | None] = []
    for number, before in enumerate(frames.maps):
        report("Matching the posed frames", number / len(frames.maps))
        if before is None:
            found.append(None)
            continue
        points = to_camera(vertices[number], fitted.cameras[number])
        pose = Pose(False, 0.0, frame_view(points, before.mask, frames.focal * before.mask.shape[1]))
        seen = replace(known.snapshot, vertices=points.astype(np.float32))
        photograph = Photograph("", before.photo, before.mask)
        matched = match_in_view(photograph, seen, known.features, known.recipe, pose, known.device)
        found.append(replace(matched, camera=before.camera, poses=before.poses))  # of the shape at rest
    return found


def frame_view(points: Floats, mask: NDArray[np.bool_], focal: float) -> Views:
    """The part of a picture around a mask's object, as a view of a shape that stands before the camera.

    Args:
        points: (V, 3), the shape's vertices, camera axes.
        mask: bool (H, W), where the picture shows it.
        focal: focal length, pixels.
    """
    top, left, side = photo_features.window(mask)
    middle = points.mean(axis=0)
    radius = float(np.linalg.norm(points - middle, axis=1).max())
    height, width = mask.shape
    shift = (0.5 - (width / 2 - left) / side, (height / 2 - top) / side - 0.5)
    return Views(
        center=np.array((0, 0, middle[2])),
        radius=radius,
        rotation=np.eye(3)[None],
        zoom=np.array((focal / side,)),
        shift=np.array((shift,)),
        resolution=VIEW_CELLS,
        distance=-middle[2] / radius,
    )
