"""Files of images that are saved beside the .blend file: under names that are free, or in place of older ones."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy

from ...base.errors import StorageError
from ...base.storage import write_file
from ...base.udim import FIRST_TILE
from ..blend import absolute_path

TILE_WORD = "<UDIM>"
"""Stands in a file's name for a tile's number, as in Blender."""


def copy_file(file: Path, to: Path) -> None:
    """Copy a file, all of it or nothing."""
    write_file(to, lambda path: shutil.copyfile(file, path))


def free_name(folder: Path, name: str, files: Mapping[int, Path]) -> str:
    """A file name that does not exist in the folder yet, for any of the tiles."""
    stem, dot, rest = name.partition(".")
    number = 0
    while any((folder / name.replace(TILE_WORD, str(tile))).exists() for tile in files):
        number += 1
        name = f"{stem}_{number:03d}{dot}{rest}"
    return name


@dataclass(frozen=True)
class SavedPicture:
    """Where an image is saved.

    Attributes:
        path: as the image has it: relative to the .blend file, or with :data:`TILE_WORD`.
        files: the file of each tile; one of :data:`FIRST_TILE` for an image without tiles.
    """

    path: str
    files: Mapping[int, Path]

    @staticmethod
    def of(image: bpy.types.Image) -> SavedPicture | None:
        """Where an image is saved; None if it is packed, linked or made in Blender."""
        if image.packed_file or not image.filepath or image.library or image.source not in ("FILE", "TILED"):
            return None
        tiles = [tile.number for tile in image.tiles] if image.source == "TILED" else [FIRST_TILE]
        path = absolute_path(image.filepath)
        return SavedPicture(image.filepath, {tile: Path(path.replace(TILE_WORD, str(tile))) for tile in tiles})

    def name(self) -> str:
        """The file's name without the number that :func:`free_name` gives."""
        return re.sub(r"_\d{3,}(?=\.)", "", Path(self.path.replace("//", "")).name)


def take_place(image: bpy.types.Image, before: SavedPicture | None) -> None:
    """Let an image's files take the place of those of one that it replaces, if both lie in one folder by one name.

    Where that cannot be written, the image keeps its files.
    """
    now = SavedPicture.of(image)
    if now is None or before is None or (now.files.keys(), now.name()) != (before.files.keys(), before.name()):
        return
    if [file.parent for file in now.files.values()] != [file.parent for file in before.files.values()]:
        return
    with contextlib.suppress(StorageError):
        for tile, file in now.files.items():
            copy_file(file, before.files[tile])
        image.filepath_raw = before.path
        for file in now.files.values():
            with contextlib.suppress(OSError):
                file.unlink()
