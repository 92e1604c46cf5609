"""Requests about motion from video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class PosableArrays(ArrayBundle):
    """The fields of :class:`meshkin.video.clip.PosableShape`; limits are finite, :data:`FREE` where there are none."""

    layout: ClassVar[dict[str, str]] = {
        "vertices": "V3", "faces": "F3", "weights": "VB", "rest": "B44", "parents": "B", "limits": "B32",
    }  # fmt: skip
    vertices: NDArray[np.float64]
    faces: NDArray[np.int32]
    weights: NDArray[np.float32]
    rest: NDArray[np.float64]
    parents: NDArray[np.int32]
    limits: NDArray[np.float64]


FREE = 1e6
"""Angle, radians, that stands for a bone that may turn freely."""


@dataclass(frozen=True)
class MotionArrays(ArrayBundle):
    """A motion that was fitted to T frames.

    Attributes:
        matrices: float64 (T, B, 4, 4), by which each bone moves the shape, in its frame.
        cameras: float64 (T, 4, 4), from that frame to camera axes.
        scores: float64 (T,), intersection over union of mask and silhouette.
        doubtful: bool (T,).
        cuts: bool (T,), frames that do not go on from the one before.
        sheet: uint8 (H, W, 3), frames with the fitted character beside them.
    """

    layout: ClassVar[dict[str, str]] = {
        "matrices": "TB44", "cameras": "T44", "scores": "T", "doubtful": "T", "cuts": "T", "sheet": "HW3",
    }  # fmt: skip
    matrices: NDArray[np.float64]
    cameras: NDArray[np.float64]
    scores: NDArray[np.float64]
    doubtful: NDArray[np.bool_]
    cuts: NDArray[np.bool_]
    sheet: NDArray[np.uint8]


@dataclass(frozen=True)
class OtherViewsResult:
    """``frames`` are numbers, from 0, of the frames that show the second view of their match."""

    frames: tuple[int, ...]


@dataclass(frozen=True)
class OtherViews(Request[OtherViewsResult], job="other-views"):
    """Find the frames of a video that show the object from the other side than they were matched.

    Attributes:
        maps: as :class:`FitVideo`.
    """

    maps: tuple[Path | None, ...]


@dataclass(frozen=True)
class FitVideoResult:
    """``arrays`` is a file of :class:`MotionArrays`."""

    arrays: Path


@dataclass(frozen=True)
class FitVideo(Request[FitVideoResult], job="fit-video"):
    """Fit a character's motion to the matches of a video's frames with it.

    Attributes:
        shape: file of :class:`PosableArrays`.
        maps: files of the frames' :class:`meshkin.data.photo_map.PhotoMap`; None for frames that show nothing.
        focal: focal length, widths of the picture.
        output: where to write the result's arrays.
    """

    shape: Path
    maps: tuple[Path | None, ...]
    focal: float
    output: Path
