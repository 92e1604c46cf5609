"""What extractors see in the views of a shape, and what comes of it: plain data, with arrays in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from ..data.recipe import ViewPlacement
    from ..data.snapshot import Snapshot
    from ..data.views import Views


@dataclass(frozen=True)
class ViewImages:
    """What a reader may look at; frames and units as in :class:`meshkin.data.views.Passes`.

    Attributes:
        normal: float16 (N, H, W, 3), camera frame, 0 on the background.
        depth: float32 (N, H, W), in bounding-sphere radii, inf on the background.
        color: uint8 (N, H, W, 3), sRGB, the object's own materials in even light; None where not rendered.
        views: the cameras that took the pictures; None where they are not known, as of photographs.
    """

    normal: NDArray[np.float16]
    depth: NDArray[np.float32]
    color: NDArray[np.uint8] | None = None
    views: Views | None = None

    def take(self, numbers: Sequence[int]) -> ViewImages:
        """Only the views with these numbers, in this order."""
        index = list(numbers)
        return ViewImages(
            self.normal[index],
            self.depth[index],
            None if self.color is None else self.color[index],
            None if self.views is None else self.views.take(index),
        )


@dataclass(frozen=True)
class Grids:
    """Features of one batch of views.

    Attributes:
        views: the n views of this batch, ascending; every view comes in exactly one batch.
        maps: one tensor (n, C_k, h_k, w_k) for each of the reader's maps, on its device, in its precision. Grid
            cell (i, j) covers the picture's share [j / w, (j + 1) / w) x [i / h, (i + 1) / h), row 0 at the top.
        painted: uint8 (n, 3, H, W), RGB, what an extractor that paints made of the views; None for the others.
        misfits: how badly each of the n painted views fits the shape (:func:`meshkin.pictures.view_fit.misfit`); None
            where that is not looked at.
    """

    views: list[int]
    maps: list[torch.Tensor]
    painted: torch.Tensor | None = None
    misfits: list[float] | None = None


@dataclass(frozen=True)
class SeenViews:
    """Feature maps of the views of a shape, to be carried to its vertices.

    Attributes:
        snapshot: the shape.
        placement: how its cameras were chosen.
        views: the N cameras.
        depth: float32 (N, H, W), as in :class:`meshkin.data.views.Passes`.
        grids: the maps, every view in one batch.
        channels: of each map.
        weights: of each map beside the others, a unit vector.
    """

    snapshot: Snapshot
    placement: ViewPlacement
    views: Views
    depth: NDArray[np.float32]
    grids: Iterator[Grids]
    channels: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Lifted:
    """Features of every vertex.

    Attributes:
        features: float32 (V, sum of channels), finite; each map's columns are a unit vector, or zero where nothing
            is known.
        seen: int16 (V,), number of views that saw the vertex; 0 where the features were filled in.
        confidence: float32 (V,) in [0, 1]: how many views saw it, how squarely, and how far they agree; at most 1/2
            where the features were filled in, 0 where nothing is known.
    """

    features: NDArray[np.float32]
    seen: NDArray[np.int16]
    confidence: NDArray[np.float32]
