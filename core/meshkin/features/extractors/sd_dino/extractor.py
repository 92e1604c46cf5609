"""SD+DINO: one look of Stable Diffusion at a picture with a little noise, and one of DINOv2 at the same picture.

Stable Diffusion's features are smooth and know where things lie, DINOv2's are sparse and sharp; together they find
more than either (Zhang et al., NeurIPS 2023, https://arxiv.org/abs/2305.15347). Nothing is painted: the pictures are
renders of the objects' own materials, or photographs, which get the same descriptor. What the parameters mean is in
:mod:`meshkin.features.extractors.sd_dino.settings`; how the levels are reduced, in :mod:`meshkin.features.joint`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ....base.progress import ProgressCallback, silent
from ... import devices, pictures, stable_diffusion
from ...extractor import Grids, ViewImages
from ...parameters import CODE
from ...stable_diffusion import Noise, view_seed
from ..dinov2 import Dinov2

_STAGE = "Reading pictures (SD+DINO)"
_CLEAN_STEP = 261
"""What a UNet for clean latents is told in place of a step, always: with this CleanDIFT was fine-tuned."""
_dinov2 = devices.keep(Dinov2)


class SdDino:
    """Stable Diffusion's decoder features after one pass, and DINOv2's.

    Args:
        part: of a recipe, as :func:`meshkin.features.recipe.resolve` makes it.
        device: as :func:`meshkin.features.devices.choose` takes it.
        batch: most pictures to compute at a time; None for what the memory allows.

    Attributes:
        channels: of each tap in the recipe's order, then of each layer of DINOv2.
        map_weights: how much each map counts beside the others, as a unit vector.

    Raises:
        ModelError: ``model-wrong``.
        InputError: ``device-missing``, ``features-option``.
    """

    name = "sd_dino"

    def __init__(self, part: dict[str, Any], device: str = "auto", batch: int | None = None) -> None:
        folders = {role: Path(model["folder"]) for role, model in part["models"].items()}
        self._part = part
        checksums = {role: model["checksum"] for role, model in part["models"].items()}
        looking = tuple(checksum for role, checksum in checksums.items() if role != "dinov2")
        unet, compiled = folders.get("unet"), part["compiled"]
        self._sd = stable_diffusion.load(folders["base"], (), unet, device, compiled, looking)
        self._batch = batch
        self.device = self._sd.device
        self.resolution = max(part["resolution"], part["dino_resolution"] if "dinov2" in folders else 0)
        self.wants_color = part["style"] == "textured"
        taps = part["taps"]
        self.channels: tuple[int, ...] = tuple(self._sd.channels(tap) for tap in taps)
        levels = np.array(list(taps.values())) / np.linalg.norm(list(taps.values()))
        weights = levels * (1 - part["fusion"])
        self._dinov2: Dinov2 | None = None
        if "dinov2" in folders:
            checksum, layers = part["models"]["dinov2"]["checksum"], tuple(part["layers"])
            look = {"style": part["style"], "background": part["background"], "resolution": part["dino_resolution"]}
            self._dinov2 = _dinov2(folders["dinov2"], checksum, layers, device=device, **look)
            self.channels += self._dinov2.channels
            weights = np.append(weights, np.full(len(layers), part["fusion"] / np.sqrt(len(layers))))
        self.map_weights: tuple[float, ...] = tuple(map(float, weights / np.linalg.norm(weights)))
        self.version = f"{self.name} {CODE[self.name]}; {','.join(checksums.values())}; {self._sd.dtype}"

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """See :class:`meshkin.features.extractor.ImageExtractor`. Raises MeshKinError ``memory-low``."""
        count, cells = len(images.normal), self._part["resolution"] // self._sd.scale
        self._sd.batch = self._batch
        together = max(1, self._sd.rows((cells, cells)))

        def run(rows: slice) -> list[torch.Tensor]:
            return self._maps(images.take(list(range(rows.start, rows.stop))))

        for which, maps in devices.in_batches(count, together, run, report, _STAGE):
            yield Grids(which, maps)

    @torch.inference_mode()
    def _maps(self, images: ViewImages) -> list[torch.Tensor]:
        part, sd, every = self._part, self._sd, slice(None)
        shown = pictures.make(images, every, part["style"], part["background"], part["resolution"], self.device)
        latents = sd.encode(shown)
        step = _CLEAN_STEP
        if part["form"] == "noised":
            step = part["step"]
            noise = Noise.draw(self._seeds(images), (latents.shape[-2], latents.shape[-1])).start
            latents = sd.add_noise(latents, noise, step)
        words = part["template"].replace("{}", part["prompt"])
        text = sd.encode_text(words)
        _, maps = sd.evaluate(latents, step, text, taps=list(part["taps"]), predict=False)
        if self._dinov2 is not None:
            batches = [grids.maps for grids in self._dinov2.extract(images, silent)]
            maps = [*maps, *(torch.cat(layer).float() for layer in zip(*batches, strict=True))]
        return maps

    def _seeds(self, images: ViewImages) -> list[int]:
        seed = int(self._part["seed"])
        if images.views is None or self._part["noise"] == "shared":
            return [seed] * len(images.normal)
        return [view_seed(seed, direction) for direction in images.views.rotation[:, 2]]
