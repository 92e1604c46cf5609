"""Bones for a surface that has none: parts that lie evenly over it, each moved by a bone of its own.

DreaMo (WACV 2025) and BANMo (CVPR 2022) call such bones neural: Gaussians in space whose places are learned from the
video. Of a known surface they can be placed at once, along it, so that no bone moves two legs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import AnyIntegers, Singles
from .spreading import blending, spread

NEURAL_BONES = 25
"""Neural bones of a character; published by BANMo."""
NEURAL_INFLUENCES = 4
"""Bones that move a vertex, at most. Chosen: what game engines allow."""
NEURAL_SOFTNESS = 0.7
"""How far a bone's weight reaches beyond its part, as a share of the part's mean radius. Chosen: parts bend softly, and
three quarters of the vertices follow one bone by half and more."""


def neural_bones(vertices: NDArray[np.floating], faces: AnyIntegers, count: int = NEURAL_BONES) -> Singles:
    """The weights (V, count) of bones that lie evenly over a surface; rows sum to 1, at most four are above 0.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        count: of the bones; fewer where there are fewer vertices.
    """
    _, ways = spread(vertices, faces, count)
    return blending(ways, NEURAL_SOFTNESS, NEURAL_INFLUENCES).astype(np.float32)
