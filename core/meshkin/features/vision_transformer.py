"""Feature maps of vision transformers: DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193) and similar ones.

Any model that ``transformers`` loads as a plain vision transformer serves, with register tokens or without, with any
size of its square patches: DINO, DINOv2, DINOv3, ViT, I-JEPA and others. What cannot be read as a grid is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.nn import functional

from ..base.errors import InputError
from ..models import devices, vision
from ..models.checking import config as read_config
from . import dinov2_network, pictures
from .dinov2_network import Dinov2Network
from .transformers_network import TransformersNetwork
from .vision_layers import check_layers

_PREPROCESSOR = "preprocessor_config.json"
"""Lies beside the weights of published models and tells how their pictures were standardized."""
_STATES_BESIDES = 6
"""Hidden states that a block holds beside its MLP's: input, norm, queries, keys, values, output."""
_MLP_RATIO = 4
"""How much wider the MLP is than a hidden state where the configuration tells nothing, as published."""
_BORDER_PATCHES = 1
"""Patches kept around those that show the object. Measured: see tests/benchmarks/results/features_speed.txt."""


class VisionTransformer:
    """Hidden states of a vision transformer, each after the final layer norm, as a map of patches.

    Args:
        folder: the model, as :func:`meshkin.models.verify` accepts it for "dinov2".
        layers: hidden states to read, ascending: 0 is the embedding, k what block k (counted from 1) puts out. Blocks
            after the last one wanted are not even loaded.
        resolution: of the pictures; a multiple of the model's patch size. Position embeddings are interpolated to it.
        device: as :func:`meshkin.models.devices.choose` takes it.
        quick: whether its matrices may be bfloat16 on a CPU.

    Attributes:
        channels: of each layer's map.
        device: where it runs.

    Raises:
        ModelError: ``model-wrong`` when the weights do not fit the architecture.
        InputError: ``features-option`` for layers or a resolution that the model cannot have, ``device-missing``.
    """

    def __init__(
        self, folder: Path, layers: Sequence[int], resolution: int, device: str = "auto", quick: bool = False
    ) -> None:
        check_layers(folder, layers)
        settings = read_config(folder)
        self._settings = settings
        self._patch = vision.patch_size(settings)
        if resolution % self._patch:
            raise InputError(
                "features-option",
                f"A picture of {resolution} pixels has no whole number of patches.",
                f"Use a multiple of {self._patch}.",
            )
        self._resolution = resolution
        self._layers = tuple(layers)
        self._statistics = _statistics(folder)
        self.device = devices.choose(device)
        precision = devices.matrix_precision(self.device) if quick else devices.precision(self.device)
        self._network = _network(folder, settings, layers[-1], self.device, precision)
        self.channels: tuple[int, ...] = (self._network.channels,) * len(layers)

    @torch.inference_mode()
    def maps(self, shown: torch.Tensor, seen: torch.Tensor | None = None) -> list[torch.Tensor]:
        """Feature maps of any pictures.

        Args:
            shown: float (n, 3, h, w), RGB in [0, 1], h and w multiples of the patch size; on any device.
            seen: bool (n, h, w), where the pictures show the object, to look at it alone: patches farther away take no
                part, where the model allows it, and are 0; None for whole pictures.

        Returns:
            For each layer (n, C, h / patch, w / patch), on :attr:`device`, float16 on CUDA, float32 elsewhere.

        Raises ModelError ``model-wrong`` when the tokens are no grid of patches.
        """
        values = pictures.standardize(shown.to(self.device), self._statistics)
        rows, columns = (side // self._patch for side in values.shape[-2:])
        if seen is None:
            kept = torch.ones((len(values), rows, columns), dtype=torch.bool, device=self.device)
        else:
            kept = _patches_around(seen.to(self.device), self._patch)
        maps = []
        for state in self._network.states(values, kept, self._layers):
            grid = torch.zeros((*kept.shape, state.shape[-1]), dtype=devices.precision(self.device), device=self.device)
            grid[kept] = state.to(grid.dtype)
            maps.append(grid.permute(0, 3, 1, 2).contiguous())
        return maps

    def picture_bytes(self) -> int:
        """Peak memory of one picture: its hidden states, and the widest block's queries, keys, values and MLP."""
        settings = self._settings
        tokens = (self._resolution // self._patch) ** 2 + self._network.leading
        width = self._network.channels
        ratio = settings.get("mlp_ratio") or settings.get("intermediate_size", _MLP_RATIO * width) / width
        states = vision.layer_count(settings) + 1 + _STATES_BESIDES + 2 * ratio
        return int(tokens * width * states * torch.float32.itemsize)


@lru_cache(maxsize=2)
def load(
    folder: Path, checksum: str, layers: tuple[int, ...], resolution: int, device: str = "auto", quick: bool = False
) -> VisionTransformer:
    """A :class:`VisionTransformer`; the last two are kept, for as long as their files' ``checksum`` is the same."""
    return VisionTransformer(folder, layers, resolution, device, quick)


def _network(
    folder: Path, settings: Mapping[str, Any], blocks: int, device: torch.device, precision: torch.dtype
) -> Dinov2Network | TransformersNetwork:
    """The network up to some block; raises ModelError ``model-wrong``."""
    if dinov2_network.fits(settings):
        # What is kept in an unusual way, transformers may still be able to read; else it tells what is wrong.
        with contextlib.suppress(OSError, KeyError, ValueError, TypeError, RuntimeError, SafetensorError):
            return Dinov2Network(folder, settings, blocks, device, precision)
    return TransformersNetwork(folder, blocks, device, devices.precision(device))


def _patches_around(seen: torch.Tensor, side: int) -> torch.Tensor:
    """The patches that show some of the object, or border on one that does, bool (n, h / side, w / side).

    Args:
        seen: bool (n, h, w), where the pictures show it.
        side: pixels along a patch.
    """
    showing = functional.max_pool2d(seen[:, None].float(), side)
    return functional.max_pool2d(showing, 2 * _BORDER_PATCHES + 1, 1, _BORDER_PATCHES)[:, 0] > 0


def _statistics(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the model's pictures: ImageNet's unless its folder tells others."""
    if not (folder / _PREPROCESSOR).is_file():
        return pictures.IMAGENET
    preprocessor = read_config(folder, _PREPROCESSOR)
    mean, deviation = preprocessor.get("image_mean"), preprocessor.get("image_std")
    if not (isinstance(mean, list) and isinstance(deviation, list) and len(mean) == len(deviation) == 3):
        return pictures.IMAGENET
    return tuple(map(float, mean)), tuple(map(float, deviation))
