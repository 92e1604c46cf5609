"""Rotations as numbers that can be averaged."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def quaternion_products(quaternions: NDArray[Any]) -> NDArray[np.float32]:
    """The outer product of each quaternion (N, 4) with itself, float32 (N, 16).

    A quaternion and its negative, which are the same rotation, have the same product, so these can be averaged
    (Markley et al., "Averaging Quaternions", 2007).
    """
    return np.asarray(np.einsum("ni,nj->nij", quaternions, quaternions).reshape(-1, 16), np.float32)


def quaternions_of_products(products: NDArray[Any]) -> NDArray[np.float32]:
    """The unit quaternions (w, x, y, z), float32 (N, 4), of averages of :func:`quaternion_products`.

    Each is the eigenvector of the largest eigenvalue; no rotation where the products are zero.
    """
    matrices = products.reshape(-1, 4, 4).astype(np.float64)
    largest = np.linalg.eigh(matrices)[1][..., -1]
    largest[np.trace(matrices, axis1=1, axis2=2) < 1e-12] = (1, 0, 0, 0)
    return np.where(largest[:, :1] < 0, -largest, largest).astype(np.float32)
