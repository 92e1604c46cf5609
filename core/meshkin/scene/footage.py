"""Videos as picture files: numbered images as they are, movies read by Blender's sequencer frame by frame."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from ..base.errors import InputError

PICTURE_ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"))
"""Endings of pictures."""
_LAST_NUMBER = re.compile(r"^(.*?)(\d+)$")


def is_movie(path: Path) -> bool:
    """Whether Blender takes a file for a movie, by its ending."""
    return path.suffix.lower() in bpy.path.extensions_movie


def sequence(path: Path, what: str = "The video") -> list[Path]:
    """The pictures of a numbered sequence, in order: all of a folder, or those numbered like the one that is given.

    Raises InputError ``video-missing``.
    """
    if path.is_dir():
        found = [file for file in path.iterdir() if file.suffix.lower() in PICTURE_ENDINGS]
        return _not_empty(sorted(found, key=_order), path, what)
    match = _LAST_NUMBER.match(path.stem)
    if not path.is_file():
        raise InputError("video-missing", f"{what} {path} cannot be found.", "Check the path.")
    if match is None:
        return [path]
    siblings = (file for file in path.parent.iterdir() if file.suffix == path.suffix)
    return sorted((file for file in siblings if _is_like(file, match[1])), key=_order)


def first_number(files: Sequence[Path]) -> int | None:
    """The number of the first of these pictures, if Blender can play them as one sequence: numbered without gaps."""
    names = [(match[1], int(match[2])) for file in files if (match := _LAST_NUMBER.match(file.stem))]
    start = names[0][1] if names else 0
    expected = [(names[0][0], number) for number in range(start, start + len(files))] if names else []
    return start if names and names == expected else None


def _not_empty(found: list[Path], path: Path, what: str) -> list[Path]:
    if not found:
        raise InputError("video-missing", f"{what} {path} holds no pictures.", "Choose a folder of numbered pictures.")
    return found


def _is_like(file: Path, stem: str) -> bool:
    match = _LAST_NUMBER.match(file.stem)
    return match is not None and match[1] == stem


def _order(file: Path) -> tuple[str, int, str]:
    match = _LAST_NUMBER.match(file.stem)
    return (match[1], int(match[2]), "") if match else (file.stem, 0, file.name)


class Movie:
    """A movie in a scene of its own, whose frames can be written as pictures. To be closed.

    Raises InputError ``video-missing``, ``video-unreadable``.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError("video-missing", f"The video {path} cannot be found.", "Check the path.")
        self._scene = bpy.data.scenes.new("meshkin video")
        try:
            self.length = self._load(path)
        except BaseException:
            self.close()
            raise

    def _load(self, path: Path) -> int:
        clip = None
        try:
            clip = bpy.data.movieclips.load(str(path))
            width, height = clip.size
            length = int(clip.frame_duration)
        except RuntimeError:
            width = height = length = 0
        finally:
            if clip is not None:
                bpy.data.movieclips.remove(clip)
        if not (width and height and length):
            raise InputError(
                "video-unreadable",
                f"Blender cannot read {path}.",
                "Convert it to an .mp4 file of codec H.264, or to numbered pictures.",
            )
        editor = self._scene.sequence_editor_create()
        strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before 4.4
        strips.new_movie("video", str(path), 1, 1)
        for other in [each for each in strips if each.type == "SOUND"]:
            strips.remove(other)
        render = self._scene.render
        render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
        render.image_settings.file_format, render.image_settings.color_mode = "PNG", "RGB"
        render.use_sequencer, render.use_file_extension = True, True
        self._scene.view_settings.view_transform = "Standard"
        return length

    def write(self, frames: range, folder: Path) -> Iterator[Path]:
        """Write frames (from 1) as pictures, one after another."""
        for frame in frames:
            self._scene.frame_start = self._scene.frame_end = frame
            self._scene.render.filepath = str(folder / "######")
            bpy.ops.render.render(animation=True, scene=self._scene.name)  # a still is of the scene's frame on screen
            yield folder / f"{frame:06d}.png"

    def close(self) -> None:
        """Remove the scene."""
        bpy.data.scenes.remove(self._scene)
