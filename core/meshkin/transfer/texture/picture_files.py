"""Pictures as files: PNG with 8 or 16 bits, OpenEXR with 32."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.png import write_png
from ...base.storage import write_file
from ...geometry.arrays import Singles


def save_picture(pixels: NDArray[Any], path: Path) -> Path:
    """Write a picture, whole or not at all; return its path, with the suffix that fits.

    Args:
        pixels: (H, W, C) with 1, 3 or 4 channels, row 0 at the top: uint8 and uint16 become PNG, float32 OpenEXR.
        path: the file; its suffix is replaced.

    Raises StorageError (``disk-full``, ``not-writable``, ``file-failed``).
    """
    if pixels.dtype == np.float32:
        path = path.with_suffix(".exr")
        write_file(path, lambda file: _write_exr(pixels, file))
    else:
        path = path.with_suffix(".png")
        write_png(path, pixels)
    return path


def _write_exr(pixels: Singles, file: Path) -> None:
    """Write an OpenEXR file; raises OSError."""
    import OpenEXR

    rgb = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    layer = "RGBA" if rgb.shape[2] == 4 else "RGB"
    with OpenEXR.File(header, {layer: np.ascontiguousarray(rgb)}) as picture:
        try:
            picture.write(str(file))
        except RuntimeError as error:
            # The library does not tell the reasons apart. The file was just created, so most likely the disk is full.
            raise OSError(errno.ENOSPC, str(error)) from error
