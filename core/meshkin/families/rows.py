"""What a family reads of each vertex: its features, those around it, the shape there, and the side.

Features of a place change with the pose, in which views see it otherwise, and parts that look alike have like ones: a
paw is a paw. What lies around tells which paw it is, and hardly changes with the pose. So the rows hold the features
once more, spread over the surface by the heat equation, and signatures of the shape alone.
"""

from __future__ import annotations

import numpy as np

from ..geometry.arrays import AnyFloats, Singles, unit_rows
from ..spectral import pca
from .sides import SpectralShape
from .surroundings import SIGNATURES, SPREAD_TIMES, signatures, spread

SIDE_WEIGHT = 0.8
"""Of the side beside rows that are about 2 long. Chosen."""
ROW_COMPONENTS = 64
"""Principal components of the features that are read. Chosen: the rest is hardly more than noise."""


def surface_rows(shape: SpectralShape, features: AnyFloats, components: pca.Basis) -> Singles:
    """The rows of a shape's vertices without their sides.

    Args:
        shape: its coarser mesh with eigenfunctions.
        features: (V, C), zero where nothing is known.
        components: of the family's features.

    Returns:
        float32 (V, B (1 + S) + K): unit rows of the components, of those spread for each time, and signatures, whose
        rows are unit on average.
    """
    own = unit_rows(pca.project(components, features))
    mesh = shape.mesh
    spread_rows = spread(mesh, shape.at_points(own).astype(np.float64))
    around = [unit_rows(shape.to_vertices(values).astype(np.float32)) for values in spread_rows]
    return np.hstack((own, *around, shape.to_vertices(signatures(mesh)))).astype(np.float32)


def rows_alone(features: AnyFloats, components: pca.Basis) -> Singles:
    """The rows of features (N, C) of which nothing else is known, such as those of a photograph, as
    :func:`surface_rows`."""
    own = unit_rows(pca.project(components, features))
    return np.pad(own, ((0, 0), (0, row_width(own.shape[1]) - own.shape[1])))


def row_width(components: int) -> int:
    """Length of a row of so many components without the side."""
    return components * (1 + len(SPREAD_TIMES)) + SIGNATURES


def with_side(rows: Singles, side: AnyFloats) -> Singles:
    """Rows (N, C) with the side (N,) in [-1, 1] of each as the last number, float32 (N, C + 1)."""
    return np.hstack((rows, SIDE_WEIGHT * np.asarray(side, np.float32)[:, None])).astype(np.float32)
