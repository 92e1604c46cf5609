"""A clip made of the matches of a video's frames with a shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..base.errors import InputError
from ..data.photo_map import PhotoMap
from ..data.views import look_from
from ..geometry.arrays import Floats
from .clip import Anchors, Clip

LONGER_SIDE = 480
"""Pixels along the longer side to which frames are reduced. Chosen: half a pixel is far less than anchors err."""
KEPT_ANCHORS = 600
"""Anchors of a frame that are kept, drawn evenly: they count by their confidence, and limbs that lie in shade, about
which matches are less sure, must show, too. Chosen."""
NAMED_SIZES = 4
"""Sizes of frames that an error names. Chosen: a sentence can still be read."""
SMALL_FRAME = (24, 32)
"""Rows and columns to which frames are reduced to be compared. Chosen."""
BLANK = np.zeros((*SMALL_FRAME, 3))
"""Stands for the thumbnail of a frame without a match."""
CUT_CHANGE = 0.12
"""Least mean difference of two thumbnails, of 1, that may be a cut. Chosen."""
CUT_TIMES = 5.0
"""How many times as large as the median difference between frames that of a cut is, at least. Chosen."""


@dataclass(frozen=True)
class Footage:
    """T frames of a video.

    Attributes:
        clip: what they show of the shape.
        pictures: uint8 (T, H, W, 3), sRGB, reduced.
    """

    clip: Clip
    pictures: NDArray[np.uint8]


def footage(maps: Sequence[PhotoMap | None], focal: float) -> Footage:
    """Frames by their matches, None for frames that show nothing; ``focal`` is the focal length in widths.

    Raises InputError ``video-empty``, ``video-size``.
    """
    known = [photo_map for photo_map in maps if photo_map is not None]
    if not known:
        raise InputError(
            "video-empty", "No frame of the video shows the object.", "Give masks that are white where it is."
        )
    width, height = one_size([photo_map.mask.shape[::-1] for photo_map in known])
    scale = min(1.0, LONGER_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pictures, masks, columns = [], [], []
    for frame, photo_map in enumerate(maps):
        if photo_map is None:
            pictures.append(np.zeros((size[1], size[0], 3), np.uint8))
            masks.append(np.zeros((size[1], size[0]), bool))
            continue
        pictures.append(np.array(Image.fromarray(photo_map.photo).resize(size, Image.Resampling.BOX)))
        share = Image.fromarray(photo_map.mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
        masks.append(np.array(share) >= 128)
        columns.append(_anchors(photo_map, frame, np.array(size) / (width, height)))
    anchors = Anchors(*(np.concatenate(values) for values in zip(*columns, strict=True)))
    stack = np.array(pictures)
    views = np.array([_view(photo_map) for photo_map in maps])
    return Footage(Clip(np.array(masks), anchors, focal * size[0], None, find_cuts(stack), views), stack)


def one_size(sizes: Sequence[tuple[int, ...]]) -> tuple[int, int]:
    """Width and height of all frames; raises InputError ``video-size`` if they differ."""
    found = set(sizes)
    if len(found) > 1:
        listed = ", ".join(f"{width} by {height}" for width, height in sorted(found)[:NAMED_SIZES])
        raise InputError("video-size", f"The frames differ in size: {listed}.", "Use frames of one size.")
    width, height = found.pop()
    return width, height


def _view(photo_map: PhotoMap | None) -> Floats:
    """The rotation (3, 3) from the shape's frame to camera axes as which a frame was matched.

    0 if it was mirrored, or if no direction is known.
    """
    if photo_map is None or photo_map.poses[0, 3] or not photo_map.poses[0, :3].any():
        return np.zeros((3, 3))
    return look_from(photo_map.poses[0, :3])


def _anchors(photo_map: PhotoMap, frame: int, scale: Floats) -> tuple[NDArray[np.generic], ...]:
    """Columns of :class:`Anchors` of one frame."""
    rows, columns = np.nonzero(photo_map.mask & (photo_map.face >= 0) & (photo_map.confidence > 0))
    if len(rows) > KEPT_ANCHORS:
        chosen = np.random.default_rng(frame).choice(len(rows), KEPT_ANCHORS, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    places = (np.column_stack((columns, rows)) + 0.5) * scale
    at = rows, columns
    return (
        np.full(len(rows), frame, np.int32),
        photo_map.face[at],
        photo_map.barycentric[at].astype(np.float64),
        places,
        photo_map.confidence[at].astype(np.float64),
    )


def find_cuts(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The frames (T,) of pictures (T, H, W, 3) that do not go on from the one before."""
    return cuts_between(np.array([thumbnail(picture) for picture in pictures]))


def cuts_between(small: Floats) -> NDArray[np.bool_]:
    """The frames (T,) of thumbnails that do not go on from the one before; black ones stand for frames without."""
    if len(small) < 2:
        return np.zeros(len(small), bool)
    change = np.abs(small[1:] - small[:-1]).mean(axis=(1, 2, 3))
    is_blank = small.reshape(len(small), -1).max(axis=1) == 0
    change[is_blank[1:] | is_blank[:-1]] = 0
    return np.append(False, change > max(CUT_CHANGE, CUT_TIMES * float(np.median(change))))


def thumbnail(picture: NDArray[np.uint8]) -> Floats:
    """A picture (H, W, 3) reduced to :data:`SMALL_FRAME`, from 0 to 1."""
    small: Floats = np.array(Image.fromarray(picture).resize(SMALL_FRAME[::-1], Image.Resampling.BOX)) / 255
    return small
