"""Reading pictures by a network that gives a map for each of some layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch

from ..base.progress import ProgressCallback
from ..models import devices
from . import pictures
from .extractor import PictureLook, PictureReader
from .view_data import Grids, ViewImages


class PictureNetwork(Protocol):
    """A network that gives feature maps of pictures.

    Attributes:
        channels: of each map.
        device: where it runs.
    """

    channels: tuple[int, ...]
    device: torch.device

    def maps(self, shown: torch.Tensor, seen: torch.Tensor | None = None) -> list[torch.Tensor]:
        """The maps (n, C, h, w) of pictures (n, 3, H, W), RGB in [0, 1].

        Where ``seen``, bool (n, H, W), tells where they show the object, cells around it are enough; the others are 0.
        """
        ...

    def picture_bytes(self) -> int:
        """Peak memory of one picture."""
        ...


class NetworkReader(PictureReader):
    """Makes the pictures of the views and gives them to a network, in batches that fit the memory.

    Args:
        network: the network.
        look: its pictures.
        stage: what it does, in a few words, for the progress.
        object_only: whether cells of the background may be left out, which saves most of the time.
    """

    def __init__(self, network: PictureNetwork, look: PictureLook, stage: str, object_only: bool = False) -> None:
        self.network = network
        self.channels = network.channels
        self._look = look
        self._stage = stage
        self._object_only = object_only

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """See :class:`meshkin.features.extractor.PictureReader`. Raises MeshKinError ``memory-low``."""
        network = self.network

        def run(rows: slice) -> list[torch.Tensor]:
            shown = pictures.make(images, rows, self._look, network.device)
            seen = pictures.object_pixels(images, rows, self._look.resolution) if self._object_only else None
            return network.maps(shown, seen)

        size = devices.batch_size(network.device, network.picture_bytes())
        for numbers, maps in devices.in_batches(len(images.normal), size, run, report, self._stage):
            yield Grids(numbers, maps)
