"""Numbers of pictures: whole ones and real ones, sRGB and linear light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Singles = NDArray[np.float32]
DEPTHS: Mapping[int, type[Any]] = {8: np.uint8, 16: np.uint16, 32: np.float32}


def real(values: NDArray[Any]) -> Singles:
    """Whole numbers of 8 or 16 bits as float32 within [0, 1]; float32 as it is."""
    return values if values.dtype == np.float32 else values * np.float32(1 / np.iinfo(values.dtype).max)


def quantized(values: NDArray[np.floating], depth: int) -> NDArray[Any]:
    """Values within [0, 1] as whole numbers of 8 or 16 bits, or unlimited as float32."""
    if depth == 32:
        return np.asarray(values, np.float32)
    most = np.iinfo(DEPTHS[depth]).max
    return np.asarray((np.clip(values, 0, 1) * most + 0.5).astype(DEPTHS[depth]))


def decoded(values: Singles) -> Singles:
    """sRGB to linear light (IEC 61966-2-1); unlimited above 1."""
    values = np.maximum(values, 0)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(values: Singles) -> Singles:
    """Linear light to sRGB (IEC 61966-2-1); unlimited above 1."""
    values = np.maximum(values, 0)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055).astype(np.float32)
