"""The wave kernel and the heat kernel signature."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.shapes import icosphere
from meshkin.geometry.laplacian import laplacian
from meshkin.spectral.descriptors import heat_kernel, wave_kernel
from meshkin.spectral.eigenbasis import eigenpairs


def test_kernels_of_a_sphere_are_the_same_everywhere() -> None:
    vertices, faces = icosphere(4)
    values, functions = eigenpairs(*laplacian(vertices, faces), 81)  # up to l = 8: whole eigenspaces
    for kernel in (wave_kernel, heat_kernel):
        signatures = kernel(values, functions)
        spread = signatures.std(axis=0) / signatures.mean(axis=0)
        assert spread.max() < 0.05
        assert signatures.mean() == pytest.approx(1 / (4 * np.pi), rel=0.02)  # the sum of the gains is 1
