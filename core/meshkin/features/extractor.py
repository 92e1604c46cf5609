"""What turns pictures, or a surface, into features: the two small interfaces behind which every extractor lives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ..base.progress import ProgressCallback
from ..data.snapshot import Snapshot
from ..data.views import Views

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ViewImages:
    """What an image extractor may look at; frames and units as in :class:`meshkin.data.views.Passes`.

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

    def take(self, which: Sequence[int]) -> ViewImages:
        """Only the views numbered ``which``."""
        index = list(which)
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
        maps: one tensor (n, C_k, h_k, w_k) for each of the extractor's maps, on its device, in its precision. Grid
            cell (i, j) covers the picture's share [j / w, (j + 1) / w) x [i / h, (i + 1) / h), row 0 at the top.
        painted: uint8 (n, 3, H, W), RGB, what an extractor that paints made of the views; None for the others.
    """

    views: list[int]
    maps: list[torch.Tensor]
    painted: torch.Tensor | None = None


class ImageExtractor(Protocol):
    """Pictures in, a feature grid per view out.

    Attributes:
        name: as users write it (``dinov2``).
        version: changes whenever the result would: code version, model checksum.
        channels: of each map, in order.
        resolution: of the pictures it wants, pixels.
        wants_color: whether it needs ``ViewImages.color``.
    """

    name: str
    version: str
    channels: tuple[int, ...]
    resolution: int
    wants_color: bool

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """Yield the feature grids batch by batch; ``report`` may raise Cancelled between batches."""
        ...


class SurfaceExtractor(Protocol):
    """A surface in, a feature per vertex out (no pictures)."""

    name: str
    version: str
    channels: tuple[int, ...]

    def describe(self, snapshot: Snapshot, report: ProgressCallback) -> NDArray[np.float32]:
        """Features of every vertex, float32 (V, sum of channels)."""
        ...
