"""SD+DINO: one look of Stable Diffusion at a picture with a little noise, and one of DINOv2 at the same picture.

Stable Diffusion's features are smooth and know where things lie, DINOv2's are sparse and sharp; together they find
more than either (Zhang et al., NeurIPS 2023, https://arxiv.org/abs/2305.15347). Nothing is painted: the pictures are
renders of the objects' own materials, or photographs, which get the same descriptor.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ....base.progress import ProgressCallback, silent
from ....models import devices
from ... import pictures, vision_transformer
from ...aggregation import AggregationHead, load_head
from ...diffusion import stable_diffusion
from ...diffusion.noise import Noise, view_seed
from ...extractor import Models, PictureLook, PictureReader
from ...network_reader import NetworkReader
from ...view_data import Grids, ViewImages
from .settings import SdDinoSettings

_READING_STAGE = "Reading pictures (SD+DINO)"
_CLEAN_STEP = 261
"""The step that a UNet for clean latents is always told, as CleanDIFT was fine-tuned with."""


class SdDinoReader(PictureReader):
    """Stable Diffusion's decoder features after one pass, and DINOv2's.

    Args:
        settings: of the part.
        models: of the part.
        device: as :func:`meshkin.models.devices.choose` takes it.
        batch: most pictures to compute at a time; None for what the memory allows.

    Attributes:
        channels: of each tap in the settings' order, then of each layer of DINOv2; with a head, of its map.

    Raises:
        ModelError: ``model-wrong``.
        InputError: ``device-missing``, ``features-option``.
    """

    def __init__(
        self, settings: SdDinoSettings, models: Models, device: str = "auto", batch: int | None = None
    ) -> None:
        self._settings = settings
        self._sd = stable_diffusion.load_models(models, device, settings.compiled)
        self._batch = batch
        self.device = self._sd.device
        self.channels = tuple(self._sd.channels(tap) for tap in settings.taps)
        taps = np.array(list(settings.taps.values()))
        weights = taps / np.linalg.norm(taps) * (1 - settings.fusion)
        self._dinov2: NetworkReader | None = None
        if dinov2 := models.get("dinov2"):
            folder, size = Path(dinov2.folder), settings.dino_resolution
            network = vision_transformer.load(folder, dinov2.checksum, settings.layers, size, device)
            self._dinov2 = NetworkReader(
                network, PictureLook(settings.style, settings.background, size), _READING_STAGE
            )
            self.channels += self._dinov2.channels
            layers = len(settings.layers)
            weights = np.append(weights, np.full(layers, settings.fusion / np.sqrt(layers)))
        self._weights = tuple(map(float, weights / np.linalg.norm(weights)))
        self._head: AggregationHead | None = None
        if head := models.get("head"):
            self._head = load_head(Path(head.folder), head.checksum, self.device)
            self.channels, self._weights = (self._head.sizes.output,), (1.0,)

    @property
    def map_weights(self) -> tuple[float, ...]:
        """How much each map counts beside the others, as a unit vector."""
        return self._weights

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """See :class:`meshkin.features.extractor.PictureReader`. Raises MeshKinError ``memory-low``."""
        count, cells = len(images.normal), self._settings.resolution // self._sd.scale
        self._sd.batch = self._batch
        together = max(1, self._sd.rows((cells, cells)))

        def run(rows: slice) -> list[torch.Tensor]:
            return self._maps(images.take(list(range(rows.start, rows.stop))))

        for numbers, maps in devices.in_batches(count, together, run, report, _READING_STAGE):
            yield Grids(numbers, maps)

    @torch.inference_mode()
    def _maps(self, images: ViewImages) -> list[torch.Tensor]:
        settings, sd = self._settings, self._sd
        look = PictureLook(settings.style, settings.background, settings.resolution)
        latents = sd.encode(pictures.make(images, slice(None), look, self.device))
        step = _CLEAN_STEP
        if settings.form != "clean":
            step = settings.step
            noise = Noise.draw(self._seeds(images), (latents.shape[-2], latents.shape[-1])).start
            latents = sd.add_noise(latents, noise, step)
        text = sd.encode_text(settings.template.replace("{}", settings.prompt))
        _, maps = sd.evaluate(latents, step, text, taps=list(settings.taps), predict=False)
        if self._dinov2 is not None:
            batches = [grids.maps for grids in self._dinov2.extract(images, silent)]
            maps = [*maps, *(torch.cat(layer).float() for layer in zip(*batches, strict=True))]
        if self._head is not None:
            maps = [self._head([values.float() for values in maps])]
        return maps

    def _seeds(self, images: ViewImages) -> list[int]:
        seed = self._settings.seed
        if images.views is None or self._settings.noise == "shared":
            return [seed] * len(images.normal)
        return [view_seed(seed, direction) for direction in images.views.rotation[:, 2]]
