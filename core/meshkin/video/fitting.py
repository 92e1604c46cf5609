"""What a video shows of a character: its motion and, where asked, the focal length and the character's own shape."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback, silent
from ..geometry.arrays import Floats
from .clip import Clip, Motion, PosableShape
from .lens import fitted_focal
from .posing import fit_motion
from .settings import FitSettings
from .shaping import fitted_offsets

SHAPE_FITS = 2
"""Times that the shape is fitted, each time followed by the motion. Chosen: the first motion has made up for some of
what the shape should do."""


@dataclass(frozen=True)
class Fitted:
    """What a fit has found.

    Attributes:
        motion: of the character.
        cameras: float64 (T, 4, 4), from the shape's frame to camera axes: those of the clip, or one that stands still.
        focal: focal length, pixels.
        offsets: float64 (V, 3), by which the vertices at rest lie elsewhere in the video; None where not asked.
    """

    motion: Motion
    cameras: Floats
    focal: float
    offsets: Floats | None = None


def fit_video_motion(
    clip: Clip,
    shape: PosableShape,
    settings: FitSettings = FitSettings(),
    start: Motion | None = None,
    held: NDArray[np.bool_] | None = None,
    report: ProgressCallback = silent,
) -> Fitted:
    """Fit a character's motion to a clip and, where ``settings`` say so, the focal length and the character's shape.

    Args:
        clip: what the frames show; its focal length is a first guess where it is fitted.
        shape, settings, start, held, report: as of :func:`meshkin.video.posing.fit_motion`.
    """
    if settings.fit_focal:
        clip = replace(clip, focal=fitted_focal(clip, shape, settings, report))
    motion, cameras = fit_motion(clip, shape, settings, start, held, report)
    if not settings.fit_shape:
        return Fitted(motion, cameras, clip.focal)
    offsets, seen = np.zeros(shape.vertices.shape), replace(clip, cameras=cameras)
    for number in range(SHAPE_FITS):
        report("Fitting the shape", number / SHAPE_FITS)
        offsets = fitted_offsets(seen, shape, motion, settings, offsets)
        changed = replace(shape, vertices=shape.vertices + offsets)
        motion, _ = fit_motion(seen, changed, settings, motion, held, report)
    return Fitted(motion, cameras, clip.focal, offsets)
