"""PNG files (ISO/IEC 15948) written from arrays, with NumPy and the standard library alone."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .storage import write_file

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {1: 0, 3: 2, 4: 6}
"""The standard's color type by number of channels: gray, RGB, RGBA."""
UP_FILTER = 2
"""The standard's number of the filter that subtracts the row above."""
COMPRESSION = 1
"""zlib's level, 1 to 9; chosen: the fastest, since textures are large."""


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write pixels as a PNG file, whole or not at all.

    Args:
        path: the file; its folder is made where it is missing.
        pixels: as :func:`png_bytes`.

    Raises StorageError (``disk-full``, ``not-writable``, ``file-failed``).
    """
    write_file(path, lambda file: file.write_bytes(png_bytes(pixels)))


def png_bytes(pixels: NDArray[Any]) -> bytes:
    """The content of a PNG file.

    Args:
        pixels: uint8 or uint16 (H, W, C), row 0 at the top; one channel is gray, three are RGB, four RGBA.
    """
    height, width, channels = pixels.shape
    bits = 8 * pixels.itemsize
    big_endian = np.ascontiguousarray(pixels, np.dtype(pixels.dtype).newbyteorder(">"))
    data = big_endian.view(np.uint8).reshape(height, -1)
    rows = np.empty((height, 1 + data.shape[1]), np.uint8)
    rows[:, 0] = UP_FILTER
    rows[0, 1:] = data[0]
    np.subtract(data[1:], data[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, bits, COLOR_TYPES[channels], 0, 0, 0)
    body = zlib.compress(rows.data, COMPRESSION)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
