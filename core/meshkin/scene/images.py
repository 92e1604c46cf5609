"""Pixels of Blender's images, as they are stored."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import StorageError
from ..storage import readable_failure
from .shading import check_image

HALF_WAY = ("PNG", "JPEG2000", "DPX", "CINEON")
"""File formats that hold 16 bits where Blender holds floating-point numbers."""


def depth(image: bpy.types.Image) -> int:
    """8, 16 or 32 bits a channel, as far as Blender tells."""
    if not image.is_float:
        return 8
    return 16 if image.file_format in HALF_WAY and image.source in ("FILE", "TILED") else 32


def tiles(image: bpy.types.Image) -> dict[tuple[int, int] | None, NDArray[Any]]:
    """The pixels of each tile, by the corner of its unit square; of a plain image by None.

    uint8 (H, W, 4) for images of 8 bits, in their own colour space; else float32, which Blender has made linear unless
    the image is data. Row 0 is at the top.

    Raises InputError ``image-missing``, StorageError.
    """
    check_image(image)
    if image.source != "TILED":
        return {None: _pixels(image)}
    found: dict[tuple[int, int] | None, NDArray[Any]] = {}
    with readable_failure(Path(tempfile.gettempdir()), "writing"), tempfile.TemporaryDirectory() as folder:
        copy = image.copy()
        try:
            suffix, copy.file_format = ("exr", "OPEN_EXR") if image.is_float else ("png", "PNG")
            copy.filepath_raw = str(Path(folder) / f"tile.<UDIM>.{suffix}")
            numbers = [tile.number for tile in image.tiles]
            try:
                copy.save()
            except RuntimeError as error:
                raise StorageError(
                    "image-tiles",
                    f"The tiles of “{image.name}” cannot be read: {str(error).strip()}",
                    "Check that every tile is there (UV Editor > Image > Reload).",
                ) from error
        finally:
            bpy.data.images.remove(copy)
        for number in numbers:
            tile = bpy.data.images.load(str(Path(folder) / f"tile.{number}.{suffix}"))
            try:
                tile.colorspace_settings.name = image.colorspace_settings.name
                row, column = divmod(number - 1001, 10)
                found[column, row] = _pixels(tile)
            finally:
                bpy.data.images.remove(tile)
    return found


def _pixels(image: bpy.types.Image) -> NDArray[Any]:
    check_image(image)
    width, height = image.size
    raw: NDArray[Any] = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(raw)
    if not image.is_float:
        raw *= 255
        raw += 0.5
        raw = np.clip(raw, 0, 255, out=raw).astype(np.uint8)
    stored = raw.reshape(height, width, -1)[::-1]
    channels = stored.shape[2]
    if channels == 4:
        return np.ascontiguousarray(stored)
    pixels = np.full((height, width, 4), 1 if image.is_float else 255, raw.dtype)
    pixels[..., :3] = stored[..., :1] if channels < 3 else stored[..., :3]
    if channels == 2:
        pixels[..., 3] = stored[..., 1]
    return pixels
