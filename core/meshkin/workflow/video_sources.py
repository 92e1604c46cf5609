"""Which pictures and masks of a video are followed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError
from ..base.progress import Progress
from ..scene import filming, footage
from ..scene.objects import BlenderObject
from ..video.options import VideoOptions

MOST_FRAMES = 2000
"""Frames that are followed at once, at most. Chosen: the matches of more take days."""


@dataclass(frozen=True)
class Frames:
    """Files of the frames that are followed.

    Attributes:
        pictures: of each frame.
        masks: of each frame, too; empty for none.
        example: a frame's picture and its mask, by which the object is to be cut out of the others; None for none.
    """

    pictures: list[Path]
    masks: list[Path]
    example: tuple[Path, Path] | None = None

    def pairs(self) -> list[tuple[Path, Path | None]]:
        """The picture and the mask of each frame."""
        if not self.masks:
            return [(picture, None) for picture in self.pictures]
        return list(zip(self.pictures, self.masks, strict=True))


class Source:
    """A video and its masks.

    Attributes:
        path: of the video.
        numbers: of the frames that are followed, from 1.

    Raises InputError ``video-missing``, ``video-unreadable``, ``video-range``, ``video-long``, ``masks-few``.
    """

    def __init__(self, path: Path, mask: Path | None, chosen: VideoOptions) -> None:
        self.path, self._mask = path, mask
        self._files, self._count = _listed_frames(path)
        self._masks: list[Path] = []
        last = min(chosen.last or self._count, self._count)
        self.numbers = range(chosen.first, last + 1, chosen.step)
        if not self.numbers:
            raise InputError(
                "video-range",
                f"The video has {self._count} frames; none is from {chosen.first} to {last}.",
                "Choose others.",
            )
        if len(self.numbers) > MOST_FRAMES:
            raise InputError(
                "video-long",
                f"{len(self.numbers)} frames are to be followed; at most {MOST_FRAMES} are at once.",
                "Choose a part of the video, or a larger step.",
            )
        self._painted = 0
        if mask is not None:
            self._list_masks(mask, chosen.painted or self.numbers[0])

    def _list_masks(self, mask: Path, painted: int) -> None:
        """Find out whether there is a mask for each frame, or one alone, which is of the frame ``painted``."""
        self._masks, count = _listed_frames(mask, "The mask")
        if count == 1 and len(self.numbers) > 1:
            self._painted = painted
            if painted > self._count:
                raise InputError(
                    "video-range",
                    f"The mask is of frame {painted}, but the video has {self._count}.",
                    "Say which frame the mask is of.",
                )
        elif count < self.numbers[-1]:
            raise InputError(
                "masks-few",
                f"There are {count} masks, but frame {self.numbers[-1]} is to be followed.",
                "Give a mask for each frame of the video, or only one.",
            )

    @property
    def is_cut_by_example(self) -> bool:
        """Whether one mask alone says what the object looks like."""
        return bool(self._painted)

    def frames(self, folder: Path) -> Generator[Progress, None, Frames]:
        """The files of the frames; those of movies are written to the folder."""
        pictures = yield from _pictures(self.path, self._files, self.numbers, folder / "frames")
        if self._mask is None:
            return Frames(pictures, [])
        if not self._painted:
            masks = yield from _pictures(self._mask, self._masks, self.numbers, folder / "masks")
            return Frames(pictures, masks)
        painted = range(self._painted, self._painted + 1)
        (example,) = yield from _pictures(self.path, self._files, painted, folder / "example")
        (mask,) = yield from _pictures(self._mask, self._masks, range(1, 2), folder / "masks")
        return Frames(pictures, [], (example, mask))

    def show(self, camera: BlenderObject) -> None:
        """Let a camera show the video behind what it films, where Blender can: a movie, or files without gaps."""
        if not self._files:
            filming.show_video(camera, self.path, self._count, 0)
        elif (first := footage.first_number(self._files)) is not None:
            filming.show_video(camera, self._files[0], self._count, first)


def _pictures(path: Path, files: Sequence[Path], numbers: range, folder: Path) -> Generator[Progress, None, list[Path]]:
    if files:
        return [files[number - 1] for number in numbers]
    folder.mkdir()
    movie, written = footage.Movie(path), []
    try:
        for file in movie.write(numbers, folder):
            written.append(file)
            yield Progress("Reading the video", len(written) / len(numbers))
    finally:
        movie.close()
    return written


def _listed_frames(path: Path, what: str = "The video") -> tuple[list[Path], int]:
    """The pictures of a sequence (none for a movie), and how many frames there are."""
    if not footage.is_movie(path):
        files = footage.sequence(path, what)
        return files, len(files)
    movie = footage.Movie(path)
    try:
        return [], movie.length
    finally:
        movie.close()
