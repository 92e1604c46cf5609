"""Pictures as files: PNG with 8 or 16 bits, OpenEXR with 32."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.storage import write_file


def save_picture(pixels: NDArray[Any], path: Path) -> Path:
    """Write pixels (H, W, 1, 3 or 4), row 0 at the top: uint8 and uint16 as PNG, float32 as OpenEXR.

    Returns the path with the suffix that fits; raises StorageError (``disk-full``, …), and leaves no half file then.
    """
    if pixels.dtype == np.float32:
        path = path.with_suffix(".exr")
        write_file(path, lambda file: _write_exr(pixels, file))
    else:
        path = path.with_suffix(".png")
        write_file(path, lambda file: file.write_bytes(_png(pixels)))
    return path


def _png(pixels: NDArray[Any]) -> bytes:
    """ISO/IEC 15948, every row filtered by the one above it."""
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    data = np.ascontiguousarray(pixels.astype(">u2") if bits == 16 else pixels).view(np.uint8).reshape(height, -1)
    rows = np.empty((height, data.shape[1] + 1), np.uint8)
    rows[:, 0] = 2
    rows[0, 1:] = data[0]
    np.subtract(data[1:], data[:-1], out=rows[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, bits, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.data, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def _write_exr(pixels: NDArray[np.float32], file: Path) -> None:
    import OpenEXR

    wide = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    name = "RGBA" if wide.shape[2] == 4 else "RGB"
    with OpenEXR.File(header, {name: np.ascontiguousarray(wide)}) as picture:
        try:
            picture.write(str(file))
        except RuntimeError as error:
            raise OSError(28, str(error)) from error
