"""Pixels of Blender's images, as they are stored."""

from __future__ import annotations

import re
import struct
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, StorageError
from ...base.storage import readable_failure
from ..blend import absolute_path

LINEAR = ("Non-Color", "Raw", "Linear", "scene_linear")
"""Color spaces (or beginnings of their names) whose values are light or data, not display values."""

MOVING = ("MOVIE", "SEQUENCE")
"""Kinds of images that have frames: the current one counts."""

HALF_WAY = ("PNG", "JPEG2000", "DPX", "CINEON")
"""File formats that hold 16 bits where Blender holds floating-point numbers."""

ASSOCIATED = ("STRAIGHT", "PREMUL")
"""Alpha modes of images whose colors Blender multiplies by alpha, where that is not used by itself."""


def check_image(image: bpy.types.Image | None, user: bpy.types.ImageUser | None = None) -> None:
    """Raise InputError ``image-missing`` when an image has no pixels that could be loaded, ``image-viewer`` for what a
    render or the compositor shows, or ``image-unsaved`` for tiles that are not as they are on the disk.

    Args:
        image: None is missing.
        user: which frame of a movie or a sequence is shown.
    """
    if image is None:
        raise InputError(
            "image-missing", "An Image Texture node of the source has no image.", "Choose one, or remove the node."
        )
    if image.source == "VIEWER":
        raise InputError(
            "image-viewer",
            f"“{image.name}” cannot be used as a texture.",
            "Save it (Image > Save As) and use the file.",
        )
    if image.source == "TILED" and image.is_dirty:
        raise InputError(
            "image-unsaved",
            f"The tiles of “{image.name}” have changes that are not saved.",
            "Save or pack the image first (Image > Save, or Pack): tiles cannot be read otherwise.",
        )
    if image.source in MOVING:
        missing = not image.packed_file and not Path(_frame_path(image, user)).is_file()
    else:
        missing = not image.size[0] * image.size[1] or (image.source != "TILED" and not len(image.pixels))
    if missing:
        where = f" ({image.filepath})" if image.filepath else ""
        raise InputError(
            "image-missing",
            f"The image “{image.name}”{where} cannot be loaded.",
            "Use File > External Data > Find Missing Files.",
        )


def _frame_path(image: bpy.types.Image, user: bpy.types.ImageUser | None) -> str:
    """The file of a movie, or that of a sequence's frame that is shown now."""
    path = absolute_path(image.filepath, image.library)
    if image.source == "MOVIE" or user is None:
        return path
    frame = bpy.context.scene.frame_current - user.frame_start
    last = max(user.frame_duration - 1, 0)
    frame = (frame % (last + 1) if user.use_cyclic else min(max(frame, 0), last)) + 1 + user.frame_offset
    return re.sub(r"\d+(?=\D*$)", lambda digits: str(frame).zfill(len(digits[0])), path)


def is_linear(image: bpy.types.Image) -> bool:
    """Whether the pixels that Blender gives out are linear: those of float images always are."""
    return bool(image.is_float or image.colorspace_settings.name.startswith(LINEAR))


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
            data = Path(absolute_path(image.filepath, image.library)).read_bytes()
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

    uint8 (H, W, 4) for images of 8 bits, in their own color space; else float32, which Blender has made linear unless
    the image is data. Row 0 is at the top. ``associated`` gives colors multiplied by alpha, where the image has that.

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
        # Blender holds floating-point colors multiplied by alpha, colors of 8 bits not.
        color, alpha = raw.reshape(-1, 4)[:, :3], raw[3::4, None]
        if associated and not image.is_float:
            color *= alpha
        elif image.is_float and not associated:
            np.divide(color, alpha, out=color, where=alpha > 0)
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
