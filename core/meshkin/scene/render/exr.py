"""Channels read from an OpenEXR file as Blender writes it: one part, 32-bit floats, uncompressed.

Source: OpenEXR documentation, "OpenEXR File Layout".
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import StorageError


def read_channels(path: Path, endings: tuple[str, ...]) -> list[NDArray[np.float32]]:
    """The channels whose names have these endings, float32 (H, W) each, row 0 at the top.

    Raises StorageError ``file-damaged`` when the file is missing or incomplete.
    """
    try:
        data = path.read_bytes()
        names, (left, top, right, bottom), header_size = _read_header(data)
        height, width = bottom - top + 1, right - left + 1
        # The offset of each scan line, then the scan lines: number, size in bytes, and a row of each channel.
        values_per_line = 2 + len(names) * width
        lines = np.frombuffer(data, np.float32, height * values_per_line, header_size + 8 * height)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise StorageError("file-damaged", "A rendered view could not be read back.", "Free some space.") from error
    rows = lines.reshape(height, -1)[:, 2:].reshape(height, len(names), width)
    return [rows[:, next(n for n, name in enumerate(names) if name.endswith(ending))] for ending in endings]


def _read_header(data: bytes) -> tuple[list[str], tuple[int, ...], int]:
    """The names of the channels, the data window (left, top, right, bottom) and the size of the header in bytes."""
    attributes = {}
    place = 8  # behind the magic number and the version
    while data[place]:
        name, kind, rest = data[place : place + 512].split(b"\0", 2)
        place += len(name) + len(kind) + 6
        (size,) = struct.unpack_from("<i", rest)
        attributes[name] = data[place : place + size]
        place += size
    names, channels = [], attributes[b"channels"]
    while channels[0]:
        name, _, channels = channels.partition(b"\0")
        names.append(name.decode())
        channels = channels[16:]
    return names, struct.unpack("<4i", attributes[b"dataWindow"]), place + 1
