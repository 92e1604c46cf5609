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
from ..geometry.arrays import Floats, Integers
from ..matching.photo.photograph import Photograph
from ..matching.photo.pipeline import match_in_view
from ..matching.photo.pose import Pose
from .clip import PosableShape
from .drawing import to_camera
from .fitting import Fitted
from .reading import Footage, footage
from .skinning import posed

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

    def picked(self, numbers: Integers) -> MatchedFrames:
        """Only these frames (N,)."""
        cameras = None if self.cameras is None else self.cameras[numbers]
        return MatchedFrames([self.maps[number] for number in numbers], self.focal, cameras)

    @property
    def footage(self) -> Footage:
        """What they show; raises as :func:`meshkin.video.reading.footage`."""
        shown = footage(self.maps, self.focal)
        return shown if self.cameras is None else replace(shown, clip=replace(shown.clip, cameras=self.cameras))


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
