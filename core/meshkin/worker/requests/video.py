"""Requests about motion from video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...data.recipe import Recipe
from .arrays import ArrayBundle
from .base import Request
from .photo import PhotoMapFile


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
class KeyPoseArrays(ArrayBundle):
    """Poses that are kept exactly, K of them.

    Attributes:
        matrices: float64 (K, B, 4, 4), by which each bone moves the shape, in its frame.
        frames: int (K,), numbers of the frames, from 0, ascending.
    """

    layout: ClassVar[dict[str, str]] = {"matrices": "KB44", "frames": "K"}
    matrices: NDArray[np.float64]
    frames: NDArray[np.int32]


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
        offsets: float64 (V, 3), by which the shape at rest is changed, in its frame; 0 if it was not fitted.
        outlines: float32 (S, 2, 2), ends of the segments of the masks' outlines, widths of the picture from its
            center, x to the right and y up.
        outline_frames: int32 (S,), the frame of each segment, from 0, ascending.
    """

    layout: ClassVar[dict[str, str]] = {
        "matrices": "TB44", "cameras": "T44", "scores": "T", "doubtful": "T", "cuts": "T", "sheet": "HW3",
        "offsets": "V3", "outlines": "S22", "outline_frames": "S",
    }  # fmt: skip
    matrices: NDArray[np.float64]
    cameras: NDArray[np.float64]
    scores: NDArray[np.float64]
    doubtful: NDArray[np.bool_]
    cuts: NDArray[np.bool_]
    sheet: NDArray[np.uint8]
    offsets: NDArray[np.float64]
    outlines: NDArray[np.float32]
    outline_frames: NDArray[np.int32]


@dataclass(frozen=True)
class CheckFramesResult:
    """Width and height of all pictures, pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class CheckFrames(Request[CheckFramesResult], job="check-frames"):
    """Check whether the frames of a video are pictures of one size, and masks shaped like them.

    Attributes:
        photos: image files.
        masks: image files.
    """

    photos: tuple[Path, ...]
    masks: tuple[Path, ...]


@dataclass(frozen=True)
class CutFramesResult:
    """``masks`` are image files, white where the object is; black all over where it was not found."""

    masks: tuple[Path, ...]


@dataclass(frozen=True)
class CutFrames(Request[CutFramesResult], job="cut-frames"):
    """Cut an object out of a video's frames that is masked in one of them.

    Attributes:
        photos: image files.
        example: image file of the masked frame.
        mask: image file, white where it shows the object.
        recipe: how frames are described.
        features: file of features by this recipe in the cache.
        device: what computes.
        folder: where to write the masks.
    """

    photos: tuple[Path, ...]
    example: Path
    mask: Path
    recipe: Recipe
    features: Path
    device: str
    folder: Path


@dataclass(frozen=True)
class NeuralBoneArrays(ArrayBundle):
    """Bones of a shape without an armature, every parent before its children.

    Attributes:
        weights: float32 (V, B), rows sum to 1.
        heads, tails: float64 (B, 3), in the shape's frame.
        parents: int (B,), -1 for the root.
    """

    layout: ClassVar[dict[str, str]] = {"weights": "VB", "heads": "B3", "tails": "B3", "parents": "B"}
    weights: NDArray[np.float32]
    heads: NDArray[np.float64]
    tails: NDArray[np.float64]
    parents: NDArray[np.integer]


@dataclass(frozen=True)
class NeuralBonesResult:
    """``arrays`` is a file of :class:`NeuralBoneArrays`."""

    arrays: Path


@dataclass(frozen=True)
class NeuralBones(Request[NeuralBonesResult], job="neural-bones"):
    """Give a shape bones: skin weights by its form, and a skeleton that is built from them.

    Attributes:
        shape: snapshot file.
        output: where to write the result's arrays.
    """

    shape: Path
    output: Path


@dataclass(frozen=True)
class ScoreViewsResult:
    """``views`` is a file of :class:`ViewScoreArrays` in the cache."""

    views: Path


@dataclass(frozen=True)
class ViewScoreArrays(ArrayBundle):
    """How well the views of a shape fit a frame.

    Attributes:
        scores: float64 (2, N), of the frame and of its mirror image.
        mask: bool (H, W), where the frame shows the object.
        thumbnail: float64 (h, w, 3), the frame, :func:`meshkin.video.reading.thumbnail`.
    """

    layout: ClassVar[dict[str, str]] = {"scores": "2N", "mask": "HW", "thumbnail": "hw3"}
    scores: NDArray[np.float64]
    mask: NDArray[np.bool_]
    thumbnail: NDArray[np.float64]


@dataclass(frozen=True)
class ScoreViews(Request[ScoreViewsResult], job="score-views"):
    """Find how well the views of a shape fit a frame of a video, unless that is in the cache.

    Attributes:
        photo: image file.
        mask: image file, white where the object is; None for the picture's transparency or, if it has none, for where
            the features agree with the shape's.
        shape: snapshot file.
        features: file of the shape's features in the cache.
        recipe: how they were computed.
        key: their name in the cache.
        device: what computes.
    """

    photo: Path
    mask: Path | None
    shape: Path
    features: Path
    recipe: Recipe
    key: str
    device: str


@dataclass(frozen=True)
class ChooseViewsResult:
    """``views`` are numbers of views, of each frame, :func:`meshkin.video.viewpoints.choose_views`."""

    views: tuple[int, ...]


@dataclass(frozen=True)
class ChooseViews(Request[ChooseViewsResult], job="choose-views"):
    """Find from which side the frames of a video show the object.

    Attributes:
        views: files of :class:`ViewScoreArrays`; None for frames that show nothing.
    """

    views: tuple[Path | None, ...]


@dataclass(frozen=True)
class MatchFrame(Request[PhotoMapFile], job="match-frame"):
    """Match a frame of a video, seen from a known side, to a shape, unless their map is in the cache.

    Attributes:
        photo: image file.
        views: file of its :class:`ViewScoreArrays`.
        view: number of the view that it shows.
        shape: snapshot file.
        features: file of the shape's features in the cache.
        recipe: how they were computed.
        key: their name in the cache.
        device: what computes.
    """

    photo: Path
    views: Path
    view: int
    shape: Path
    features: Path
    recipe: Recipe
    key: str
    device: str


@dataclass(frozen=True)
class FitVideoResult:
    """``arrays`` is a file of :class:`MotionArrays`; ``focal``: the focal length, widths of the picture."""

    arrays: Path
    focal: float


@dataclass(frozen=True)
class ShapeFeatures:
    """What frames are matched with once more: files of a snapshot and of its features, their recipe, what computes."""

    shape: Path
    features: Path
    recipe: Recipe
    device: str


@dataclass(frozen=True)
class FitVideo(Request[FitVideoResult], job="fit-video"):
    """Fit a character's motion to the matches of a video's frames with it.

    Attributes:
        shape: file of :class:`PosableArrays`.
        maps: files of the frames' :class:`meshkin.data.photo_map.PhotoMap`; None for frames that show nothing.
        focal: focal length, widths of the picture.
        output: where to write the result's arrays.
        fit_focal: whether the focal length is only where the fit starts.
        fit_shape: whether the shape at rest is changed, too.
        cameras: file of an array (T, 4, 4), from the shape's frame to camera axes; None for one that stands still
            somewhere.
        keys: file of :class:`KeyPoseArrays`; None for none.
        again: with what frames are matched once more as they were fitted; None to believe the maps.
    """

    shape: Path
    maps: tuple[Path | None, ...]
    focal: float
    output: Path
    fit_focal: bool = False
    fit_shape: bool = False
    cameras: Path | None = None
    keys: Path | None = None
    again: ShapeFeatures | None = None
