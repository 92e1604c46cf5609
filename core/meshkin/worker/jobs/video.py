"""Jobs about motion from video."""

from __future__ import annotations

import numpy as np

from ...base.progress import ProgressCallback
from ...data.photo_map import PhotoMap
from ...video.clip import PosableShape
from ..requests.video import (
    FREE,
    FitVideo,
    FitVideoResult,
    MotionArrays,
    OtherViews,
    OtherViewsResult,
    PosableArrays,
)


def other_views(request: OtherViews, report: ProgressCallback) -> OtherViewsResult:
    """Find the frames of a video that show the object from the other side than they were matched."""
    from ...video import reading, viewpoints

    poses, small = [], []
    for number, file in enumerate(request.maps):
        report("Looking at the frames together", number / len(request.maps))
        photo_map = None if file is None else PhotoMap.load(file)
        poses.append(None if photo_map is None else photo_map.poses)
        small.append(reading.BLANK if photo_map is None else reading.thumbnail(photo_map.photo))
    is_other = viewpoints.other_views(poses, reading.cuts_between(np.array(small)))
    return OtherViewsResult(tuple(np.flatnonzero(is_other).tolist()))


def fit_video(request: FitVideo, report: ProgressCallback) -> FitVideoResult:
    """Fit a character's motion to the matches of a video's frames with it."""
    from ...video import reading, scoring
    from ...video.posing import fit_motion
    from ...video.skinning import posed

    arrays = PosableArrays.load(request.shape)
    limits = np.where(np.abs(arrays.limits) < FREE, arrays.limits, np.copysign(np.inf, arrays.limits))
    shape = PosableShape(arrays.vertices, arrays.faces, arrays.weights, arrays.rest, arrays.parents, limits)
    maps = [None if file is None else PhotoMap.load(file) for file in request.maps]
    shown = reading.footage(maps, request.focal)
    motion, cameras = fit_motion(shown.clip, shape, report=report)
    report("Judging the frames", 0)
    scores, doubtful = scoring.score(shown.clip, shape, motion, cameras)
    sheet = scoring.contact_sheet(shown.clip, shown.pictures, shape, motion, cameras)
    matrices, _ = posed(shape, motion)
    found = MotionArrays(matrices, cameras, scores, doubtful, ~np.append(True, shown.clip.joined), sheet)
    return FitVideoResult(found.save(request.output))
