"""Feature maps of vision transformers: DINOv2 (Oquab et al. 2023, https://arxiv.org/abs/2304.07193) and similar ones.

Any model that ``transformers`` loads as a plain vision transformer serves, with register tokens or without, with any
size of its square patches: DINO, DINOv2, DINOv3, ViT, I-JEPA and others. What cannot be read as a grid is refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..base.errors import InputError, ModelError
from ..models import vision
from ..models.checking import config as read_config
from . import devices, pictures
from .vision_layers import check_layers

_PREPROCESSOR = "preprocessor_config.json"
"""Lies beside the weights of published models and tells how their pictures were standardized."""
_NORMS = ("layernorm", "norm", "post_layernorm")
"""What the layer norm after the last block is called."""
_LEADING_TOKENS = ("cls_token", "class_embedding", "distillation_token", "register_tokens")
"""Learned tokens that stand before those of the patches."""
_STATES_BESIDES = 6
"""Hidden states that a block holds beside its MLP's: input, norm, queries, keys, values, output."""


class VisionTransformer:
    """Hidden states of a vision transformer, each after the final layer norm, as a map of patches.

    Args:
        folder: the model, as :func:`meshkin.models.verify` accepts it for "dinov2".
        layers: hidden states to read, ascending: 0 is the embedding, k what block k (counted from 1) puts out. Blocks
            after the last one wanted are not even loaded.
        resolution: of the pictures; a multiple of the model's patch size. Position embeddings are interpolated to it.
        device: as :func:`meshkin.features.devices.choose` takes it.

    Attributes:
        channels: of each layer's map.
        device: where it runs.

    Raises:
        ModelError: ``model-wrong`` when the weights do not fit the architecture.
        InputError: ``features-option`` for layers or a resolution that the model cannot have, ``device-missing``.
    """

    def __init__(self, folder: Path, layers: Sequence[int], resolution: int, device: str = "auto") -> None:
        check_layers(folder, layers)
        settings = read_config(folder)
        self._folder = folder
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
        self._dtype = devices.precision(self.device)
        self._model = _load(folder, layers).to(self.device, self._dtype).eval()
        self._norm = next((getattr(self._model, name) for name in _NORMS if hasattr(self._model, name)), None)
        width = int(self._model.config.hidden_size)
        self._leading = sum(
            value.numel() // width
            for name, value in self._model.named_parameters()
            if name.rpartition(".")[2] in _LEADING_TOKENS
        )
        interpolate = "interpolate_pos_encoding" in inspect.signature(self._model.forward).parameters
        self._options = {"interpolate_pos_encoding": True} if interpolate else {}
        self.channels: tuple[int, ...] = (width,) * len(layers)

    @torch.inference_mode()
    def maps(self, shown: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of any pictures.

        Args:
            shown: float (n, 3, h, w), RGB in [0, 1], h and w multiples of the patch size; on any device.

        Returns:
            For each layer (n, C, h / patch, w / patch), on :attr:`device`, in its precision.

        Raises ModelError ``model-wrong`` when the tokens are no grid of patches.
        """
        values = pictures.standardize(shown.to(self.device), self._statistics).to(self._dtype)
        rows, columns = (side // self._patch for side in values.shape[-2:])
        states = self._model(values, output_hidden_states=True, **self._options).hidden_states
        wanted = (len(values), self._leading + rows * columns)
        if len(states) != max(1, *self._layers) + 1 or any(state.shape[:-1] != wanted for state in states):
            shape = tuple(states[-1].shape) if states else ()
            raise wrong(
                self._folder,
                f"gives {len(states)} hidden states of shape {shape}, not tokens of {rows} x {columns} patches",
            )
        maps = []
        for layer in self._layers:
            state = states[layer] if self._norm is None else self._norm(states[layer])
            grid = state[:, self._leading :].reshape(len(values), rows, columns, -1)
            maps.append(grid.permute(0, 3, 1, 2).contiguous())
        return maps

    def picture_bytes(self) -> int:
        """Peak memory of one picture: its hidden states, and the widest block's queries, keys, values and MLP."""
        settings = self._model.config
        tokens = (self._resolution // self._patch) ** 2 + self._leading
        ratio = getattr(settings, "mlp_ratio", None) or settings.intermediate_size / settings.hidden_size
        states = settings.num_hidden_layers + 1 + _STATES_BESIDES + 2 * ratio
        return int(tokens * settings.hidden_size * states * self._dtype.itemsize)


@lru_cache(maxsize=2)
def load(
    folder: Path, checksum: str, layers: tuple[int, ...], resolution: int, device: str = "auto"
) -> VisionTransformer:
    """A :class:`VisionTransformer`; the last two are kept, for as long as their files' ``checksum`` is the same."""
    return VisionTransformer(folder, layers, resolution, device)


def wrong(folder: Path, what: str) -> ModelError:
    """A ``model-wrong`` error about the model in ``folder``."""
    return ModelError("model-wrong", f"The model in {folder} {what}.", "Choose a folder with a DINOv2 model.")


def _statistics(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the model's pictures: ImageNet's unless its folder tells others."""
    if not (folder / _PREPROCESSOR).is_file():
        return pictures.IMAGENET
    preprocessor = read_config(folder, _PREPROCESSOR)
    mean, deviation = preprocessor.get("image_mean"), preprocessor.get("image_std")
    if not (isinstance(mean, list) and isinstance(deviation, list) and len(mean) == len(deviation) == 3):
        return pictures.IMAGENET
    return tuple(map(float, mean)), tuple(map(float, deviation))


def _load(folder: Path, layers: Sequence[int]) -> Any:
    """The network up to the last of ``layers``, float32, on the CPU."""
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        settings = transformers.AutoConfig.from_pretrained(folder, **local)
        settings.num_hidden_layers = max(1, *layers)
        model, report = transformers.AutoModel.from_pretrained(
            folder,
            config=settings,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **local,
        )
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        raise wrong(folder, f"cannot be loaded: {error}") from error
    missing = sorted(
        name for name in report["missing_keys"] if not name.endswith("mask_token") and "pooler" not in name
    )
    if missing:
        raise wrong(folder, f"lacks {len(missing)} of its tensors, such as {missing[0]}")
    return model
