"""Where a displacement or a pose folds a surface over itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.adjacency import opposite_triangles
from ..geometry.arrays import unit_rows
from ..geometry.mesh import face_vectors
from ..geometry.welding import weld

FOLDED_COSINE = -0.5
"""Cosine between the normals of two neighbors below which the edge between them is folded: 60 degrees are left of the
angle between them. Chosen."""
UNFOLDED_COSINE = 0.0
"""The same cosine above which the edge was not folded before. Chosen."""
STILL_SHARE = 0.01
"""What moves less than this share of the largest displacement does not count as moved. Chosen."""


def folded_share(
    rest: NDArray[np.floating], moved: NDArray[np.floating], faces: NDArray[np.integer], everywhere: bool = False
) -> float:
    """The share, by area, of the triangles that move and lie at an edge that is folded only after they moved.

    Args:
        rest, moved: (V, 3), the vertices before and after.
        faces: (F, 3).
        everywhere: whether triangles that stay where they are count as moved, too: a pose has no rest.
    """
    offsets = np.linalg.norm(np.asarray(moved, np.float64) - rest, axis=1)
    moves = np.ones(len(faces), bool)
    if not everywhere:
        moves = (offsets > STILL_SHARE * offsets.max(initial=0))[faces].any(axis=1)
    place = weld(rest)[1]
    neighbors = opposite_triangles(place[faces])
    face, side = np.nonzero((neighbors >= 0) & moves[:, None])
    neighbor = neighbors[face, side]
    before, after = (face_vectors(np.asarray(points, np.float64), faces) for points in (rest, moved))
    cosines = [np.einsum("nd,nd->n", unit[face], unit[neighbor]) for unit in (unit_rows(before), unit_rows(after))]
    folded = np.zeros(len(faces), bool)
    folded[face[(cosines[0] > UNFOLDED_COSINE) & (cosines[1] < FOLDED_COSINE)]] = True
    areas = np.linalg.norm(before, axis=1) * moves
    return float((areas * folded).sum() / max(areas.sum(), 1e-30))
