"""Pictures as files: PNG with 8 or 16 bits, OpenEXR with 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...base.png import write_png
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
        write_png(path, pixels)
    return path


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
