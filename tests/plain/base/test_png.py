"""PNG files: read back by Pillow, and by the standard's own rules where Pillow drops to 8 bits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from meshkin.base.errors import StorageError
from meshkin.base.png import png_bytes, write_png


def noise(dtype: type[Any], *shape: int) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def decoded(content: bytes) -> NDArray[Any]:
    """Pixels (H, W, C) of a PNG file whose rows are filtered by "up"; every chunk's checksum is verified."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = {}, 8
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        name, data = content[position + 4 : position + 8], content[position + 8 : position + 8 + length]
        assert struct.unpack(">I", content[position + 8 + length : position + 12 + length])[0] == zlib.crc32(
            name + data
        )
        chunks[name] = data
        position += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, bits, color_type, *rest = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert rest == [0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 2).all()
    pixels = np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8)
    channels = {0: 1, 2: 3, 6: 4}[color_type]
    return pixels.view(f">u{bits // 8}").reshape(height, width, channels)


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (300, 2)])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_come_back(dtype: type[Any], channels: int, shape: tuple[int, int]) -> None:
    pixels = noise(dtype, *shape, channels)
    np.testing.assert_array_equal(decoded(png_bytes(pixels)), pixels)


@pytest.mark.parametrize(
    ("dtype", "channels", "mode"), [(np.uint8, 1, "L"), (np.uint8, 3, "RGB"), (np.uint8, 4, "RGBA")]
)
def test_other_programs_read_them(tmp_path: Path, dtype: type[Any], channels: int, mode: str) -> None:
    pixels = noise(dtype, 20, 30, channels)
    write_png(tmp_path / "new folder" / "bilder é.png", pixels)
    with Image.open(tmp_path / "new folder" / "bilder é.png") as image:
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_16_bits_of_gray_are_read_by_other_programs(tmp_path: Path) -> None:
    pixels = noise(np.uint16, 20, 30, 1)
    write_png(tmp_path / "gray.png", pixels)
    with Image.open(tmp_path / "gray.png") as image:
        np.testing.assert_array_equal(np.asarray(image), pixels[..., 0])


def test_pixels_in_any_memory_order() -> None:
    pixels = noise(np.uint16, 12, 9, 4)
    for view in (pixels[::-1, ::2], np.asfortranarray(pixels), pixels[..., :3], pixels.astype(">u2")):
        np.testing.assert_array_equal(decoded(png_bytes(view)), view)


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError):
        write_png(tmp_path / "file" / "a.png", noise(np.uint8, 2, 2, 3))
