"""Pixels of Blender's images, in the values that the image file stores."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, StorageError
from ...base.temporary import temporary_folder
from ...base.udim import tile_corner
from ..blend import absolute_path

LINEAR = ("Non-Color", "Raw", "Linear", "scene_linear")
"""Color spaces (or beginnings of their names) whose values are linear light or data, not display values."""

MOVING = ("MOVIE", "SEQUENCE")
"""Values of ``Image.source`` of images that have frames; the current frame is used."""

SIXTEEN_BIT_FORMATS = ("PNG", "JPEG2000", "DPX", "CINEON")
"""File formats that store 16 bits per channel if Blender holds the image as floating-point numbers."""

ALPHA_MULTIPLYING = ("STRAIGHT", "PREMUL")
"""Values of ``Image.alpha_mode`` with which Blender multiplies colors by alpha, unless a node uses the alpha."""

BITS_PER_SAMPLE = 258
"""Tag number of BitsPerSample in a TIFF file (TIFF 6.0)."""


def check_image(image: bpy.types.Image | None, user: bpy.types.ImageUser | None = None) -> None:
    """Raise InputError unless the pixels of an image can be read.

    ``image-missing`` when there is no image or it cannot be loaded, ``image-viewer`` for a render result or a
    compositor viewer, ``image-unsaved`` for UDIM tiles with changes that are not saved.

    Args:
        image: the image of a node, or None.
        user: which frame of a movie or a sequence the node shows.
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
        raise missing_image(image)


def missing_image(image: bpy.types.Image) -> InputError:
    """The error for an image that cannot be loaded."""
    where = f" ({image.filepath})" if image.filepath else ""
    return InputError(
        "image-missing",
        f"The image “{image.name}”{where} cannot be loaded.",
        "Use File > External Data > Find Missing Files.",
    )


def _frame_path(image: bpy.types.Image, user: bpy.types.ImageUser | None) -> str:
    """The file of a movie, or of the frame of a sequence that is shown in the current frame of the scene."""
    path = absolute_path(image.filepath, image.library)
    if image.source == "MOVIE" or user is None:
        return path
    frame = bpy.context.scene.frame_current - user.frame_start
    last = max(user.frame_duration - 1, 0)
    frame = frame % (last + 1) if user.use_cyclic else min(max(frame, 0), last)
    frame += 1 + user.frame_offset
    return re.sub(r"\d+(?=\D*$)", lambda digits: str(frame).zfill(len(digits[0])), path)


def is_linear(image: bpy.types.Image) -> bool:
    """Whether the values in ``Image.pixels`` are linear light or data; for float images they always are."""
    return bool(image.is_float or image.colorspace_settings.name.startswith(LINEAR))


def bit_depth(image: bpy.types.Image) -> int:
    """Bits per channel of an image: 8, 16 or 32; 32 where Blender does not say whether it is 16."""
    if not image.is_float:
        return 8
    if image.source not in ("FILE", "TILED"):
        return 32
    has_sixteen = image.file_format in SIXTEEN_BIT_FORMATS or (image.file_format == "TIFF" and _tiff_bits(image) == 16)
    return 16 if has_sixteen else 32


def _tiff_bits(image: bpy.types.Image) -> int:
    """Bits per channel of a TIFF file (TIFF 6.0, section 2); 0 if the file cannot be read."""
    try:
        if image.packed_files:
            data = bytes(image.packed_files[0].data)
        else:
            data = Path(absolute_path(image.filepath, image.library)).read_bytes()
        byte_order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4]]
        (directory,) = struct.unpack_from(byte_order + "I", data, 4)
        (entries,) = struct.unpack_from(byte_order + "H", data, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, _, count = struct.unpack_from(byte_order + "HHI", data, entry)
            if tag == BITS_PER_SAMPLE:
                # Up to two numbers of 16 bits lie in the entry itself, more of them where its last field points.
                place = entry + 8 if count <= 2 else struct.unpack_from(byte_order + "I", data, entry + 8)[0]
                return int(struct.unpack_from(byte_order + "H", data, place)[0])
    except (OSError, KeyError, struct.error):
        pass
    return 0


def tiles(image: bpy.types.Image, premultiplied: bool = False) -> dict[tuple[int, int] | None, NDArray[Any]]:
    """The pixels of an image (H, W, 4), row 0 at the top: of each UDIM tile, or of an image without tiles.

    uint8 for images of 8 bits, in the image's own color space; else float32, which Blender has made linear unless the
    image is data.

    Args:
        image: the image.
        premultiplied: multiply colors by alpha, if the image's alpha mode is one of :data:`ALPHA_MULTIPLYING`.

    Returns:
        by (column, row) of the tile's unit square, those whose files are there; by None for an image without tiles.

    Raises:
        InputError: ``image-missing``.
        StorageError: ``image-tiles``, or a temporary folder that cannot be written.
    """
    check_image(image)
    if image.source != "TILED":
        return {None: _pixels(image, premultiplied)}
    pixels: dict[tuple[int, int] | None, NDArray[Any]] = {}
    with temporary_folder() as folder:
        for number, file in _save_tiles(image, folder).items():
            tile = bpy.data.images.load(str(file))
            try:
                tile.colorspace_settings.name = image.colorspace_settings.name
                if image.alpha_mode not in ALPHA_MULTIPLYING:
                    tile.alpha_mode = image.alpha_mode
                pixels[tile_corner(number)] = _pixels(tile, premultiplied)
            finally:
                bpy.data.images.remove(tile)
    return pixels


def _save_tiles(image: bpy.types.Image, folder: Path) -> dict[int, Path]:
    """Save the UDIM tiles of an image, whose pixels Blender's API does not give out; the file of each, by number."""
    copy = image.copy()
    try:
        for tile in [each for each in copy.tiles if not each.size[0]]:  # asking for the size loads a tile
            copy.tiles.remove(tile)  # its file is missing
        numbers = [tile.number for tile in copy.tiles]
        if not any(tile.size[0] for tile in copy.tiles):
            raise missing_image(image)
        suffix, copy.file_format = ("exr", "OPEN_EXR") if image.is_float else ("png", "PNG")
        copy.filepath_raw = str(folder / f"tile.<UDIM>.{suffix}")
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
    return {number: folder / f"tile.{number}.{suffix}" for number in numbers}


def _pixels(image: bpy.types.Image, premultiplied: bool) -> NDArray[Any]:
    """The pixels of an image without tiles, as :func:`tiles` gives them."""
    check_image(image)
    width, height = image.size
    values: NDArray[Any] = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    is_data = image.colorspace_settings.is_data
    if len(values) == 4 * width * height and image.alpha_mode in ALPHA_MULTIPLYING and not is_data:
        # Blender stores floating-point colors multiplied by alpha, and colors of 8 bits not multiplied.
        color, alpha = values.reshape(-1, 4)[:, :3], values[3::4, None]
        if premultiplied and not image.is_float:
            color *= alpha
        elif image.is_float and not premultiplied:
            np.divide(color, alpha, out=color, where=alpha > 0)
    if not image.is_float:
        values *= 255
        values += 0.5
        values = np.clip(values, 0, 255, out=values).astype(np.uint8)
    stored = values.reshape(height, width, -1)[::-1]
    channels = stored.shape[2]
    if channels == 4:
        return np.ascontiguousarray(stored)
    pixels = np.full((height, width, 4), 1 if image.is_float else 255, values.dtype)
    pixels[..., :3] = stored[..., :1] if channels < 3 else stored[..., :3]
    if channels == 2:
        pixels[..., 3] = stored[..., 1]
    return pixels
