"""What a user chooses about skinning weights. Without imports, so that it can be read inside Blender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WeightMethod = Literal["auto", "map", "features"]
"""How weights come over between two bodies: through the map; read off the features by a small model that is learned on
the source; or "auto": through the map, and where more than half of the vertices would have to be inpainted, the one
that does better on held-out patches of the source."""


@dataclass(frozen=True)
class WeightOptions:
    """What a user chooses about a transfer of skinning weights.

    Attributes:
        limit: influence limit: most groups that one vertex is weighted to, 1 or more.
        smoothing: how many times every vertex's weights are averaged with its neighbors'.
        threshold: least confidence of a point of the map whose weights are taken; the rest is inpainted.
        method: see :data:`WeightMethod`.
    """

    limit: int = 4
    smoothing: int = 0
    threshold: float = 0.4
    method: WeightMethod = "auto"
