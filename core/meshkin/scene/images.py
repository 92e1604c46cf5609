"""Pixels of Blender's images, as they are stored."""

from __future__ import annotations

import struct
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

ASSOCIATED = ("STRAIGHT", "PREMUL")
"""Alpha modes of images whose colours Blender multiplies by alpha, where that is not used by itself."""


def depth(image: bpy.types.Image) -> int:
    """8, 16 or 32 bits a channel, as far as Blender tells."""
    if not image.is_float:
        return 8
    if image.source not in ("FILE", "TILED"):
        return 32
    return 16 if image.file_format in HALF_WAY or (image.file_format == "TIFF" and _tiff_bits(image) == 16) else 32


def _tiff_bits(image: bpy.types.Image) -> int:
    """Bits a channel of a TIFF file (TIFF 6.0, BitsPerSample); 0 where it cannot be read."""
    try:
        if image.packed_files:
            data = bytes(image.packed_files[0].data)
        else:
            data = Path(bpy.path.abspath(image.filepath, library=image.library)).read_bytes()
        order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4]]
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, values = struct.unpack_from(order + "HHI", data, place)
            if tag == 258:
                place = place + 8 if values <= 2 else struct.unpack_from(order + "I", data, place + 8)[0]
                return int(struct.unpack_from(order + "H", data, place)[0])
    except (OSError, KeyError, struct.error):
        pass
    return 0


def tiles(image: bpy.types.Image, associated: bool = False) -> dict[tuple[int, int] | None, NDArray[Any]]:
    """The pixels of each tile, by the corner of its unit square; of a plain image by None.

    uint8 (H, W, 4) for images of 8 bits, in their own colour space; else float32, which Blender has made linear unless
    the image is data. Row 0 is at the top. ``associated`` gives colours multiplied by alpha, where the image has that.

    Raises InputError ``image-missing``, StorageError.
    """
    check_image(image)
    if image.source != "TILED":
        return {None: _pixels(image, associated)}
    found: dict[tuple[int, int] | None, NDArray[Any]] = {}
    with readable_failure(Path(tempfile.gettempdir()), "writing"), tempfile.TemporaryDirectory() as folder:
        copy = image.copy()
        try:
            numbers = [tile.number for tile in copy.tiles if tile.size[0] >= 0]  # asked for its size, each is loaded
            suffix, copy.file_format = ("exr", "OPEN_EXR") if image.is_float else ("png", "PNG")
            copy.filepath_raw = str(Path(folder) / f"tile.<UDIM>.{suffix}")
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
                if image.alpha_mode not in ASSOCIATED:
                    tile.alpha_mode = image.alpha_mode
                found[column, row] = _pixels(tile, associated)
            finally:
                bpy.data.images.remove(tile)
    return found


def _is_data(image: bpy.types.Image) -> bool:
    return bool(image.colorspace_settings.is_data)


def _pixels(image: bpy.types.Image, associated: bool) -> NDArray[Any]:
    check_image(image)
    width, height = image.size
    raw: NDArray[Any] = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(raw)
    if len(raw) == 4 * width * height and image.alpha_mode in ASSOCIATED and not _is_data(image):
        # Blender holds floating-point colours multiplied by alpha, colours of 8 bits not.
        colour, alpha = raw.reshape(-1, 4)[:, :3], raw[3::4, None]
        if associated and not image.is_float:
            colour *= alpha
        elif image.is_float and not associated:
            np.divide(colour, alpha, out=colour, where=alpha > 0)
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
