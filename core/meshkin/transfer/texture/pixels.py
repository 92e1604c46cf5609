"""ShortIntegers of pictures: whole numbers of 8 or 16 bits, and float32."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...geometry.arrays import Singles

DTYPES: Mapping[int, type[Any]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
"""The pixels' dtype by the picture's depth in bits."""


def to_float(values: NDArray[Any]) -> Singles:
    """Whole numbers of 8 or 16 bits as float32 within [0, 1]; float32 as it is."""
    return values if values.dtype == np.float32 else values * np.float32(1 / np.iinfo(values.dtype).max)


def quantized(values: NDArray[np.floating], depth: int) -> NDArray[Any]:
    """Values within [0, 1] as whole numbers of 8 or 16 bits (clipped and rounded), or without limits as float32."""
    if depth == 32:
        return np.asarray(values, np.float32)
    most = np.iinfo(DTYPES[depth]).max
    return np.asarray((np.clip(values, 0, 1) * most + 0.5).astype(DTYPES[depth]))


def converted(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A picture's values as uint8, uint16 or float32, whole numbers of any depth standing for [0, 1]."""
    if values.dtype == dtype:
        return values
    share = values / (np.iinfo(values.dtype).max if values.dtype != np.float32 else 1)
    return np.asarray(share if dtype == np.float32 else np.rint(share * np.iinfo(dtype).max), dtype)
