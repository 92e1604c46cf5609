"""DINOv2 patch features (Oquab et al. 2023, https://arxiv.org/abs/2304.07193), with or without registers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ...base.errors import InputError, ModelError
from ...base.progress import ProgressCallback
from ...models import config as read_config
from .. import devices, pictures
from ..extractor import Grids, ViewImages
from ..parameters import CODE, check_layers


class Dinov2:
    """Hidden states of a DINOv2 vision transformer, each after the final layer norm, as a map of patches.

    Args:
        folder: the model, as :func:`meshkin.models.verify` accepts it.
        checksum: of its weights.
        layers: hidden states to read, ascending: 0 is the embedding, k what block k (counted from 1) puts out. Blocks
            after the last one wanted are not even loaded.
        style: of the pictures, see :mod:`meshkin.features.pictures`.
        background: gray level behind the object.
        resolution: of the pictures; a multiple of the model's patch size. Position embeddings are interpolated to it.
        device: as :func:`meshkin.features.devices.choose` takes it.

    Raises:
        ModelError: ``model-wrong`` when the weights do not fit the architecture.
        InputError: ``features-option`` for layers or a resolution that the model cannot have, ``device-missing``.
    """

    name = "dinov2"

    def __init__(
        self,
        folder: Path,
        checksum: str,
        layers: Sequence[int],
        style: str = "normal",
        background: float = 1.0,
        resolution: int = 448,
        device: str = "auto",
    ) -> None:
        check_layers(folder, layers)
        self._device = devices.choose(device)
        self._dtype = devices.precision(self._device)
        self._model = _load(folder, layers).to(self._device, self._dtype).eval()
        self._style, self._background = style, background
        self.wants_color = style == "textured"
        self.resolution = resolution
        self.channels: tuple[int, ...] = (self._model.config.hidden_size,) * len(layers)
        settings = f"layers {','.join(map(str, layers))}; {style} on {background}; {resolution} px"
        self.version = f"{self.name} {CODE[self.name]}; {checksum}; {settings}; {self._dtype}"
        if resolution % self._model.config.patch_size:
            raise InputError(
                "features-option",
                f"A picture of {resolution} pixels has no whole number of patches.",
                f"Use a multiple of {self._model.config.patch_size}.",
            )

    @torch.inference_mode()
    def maps(self, pictures_: torch.Tensor) -> list[torch.Tensor]:
        """Feature maps of any pictures.

        Args:
            pictures_: float (n, 3, h, w), RGB in [0, 1], h and w multiples of the patch size; on any device.

        Returns:
            For each layer (n, C, h / patch, w / patch), on the extractor's device, in its precision.
        """
        values = pictures.standardize(pictures_.to(self._device)).to(self._dtype)
        return list(self._model(values).feature_maps)

    def extract(self, images: ViewImages, report: ProgressCallback) -> Iterator[Grids]:
        """See :class:`meshkin.features.extractor.ImageExtractor`. Raises MeshKinError ``memory-low``."""

        def run(views: slice) -> list[torch.Tensor]:
            made = pictures.make(images, views, self._style, self._background, self.resolution, self._device)
            return self.maps(made)

        size = devices.batch_size(self._device, self._picture_bytes())
        for views, maps in devices.in_batches(len(images.normal), size, run, report, "Reading pictures (DINOv2)"):
            yield Grids(views, maps)

    def _picture_bytes(self) -> int:
        """Peak memory of one picture: its hidden states, and the widest block's queries, keys, values and MLP."""
        config = self._model.config
        tokens = (self.resolution // config.patch_size) ** 2 + 1
        states = config.num_hidden_layers + 1 + 6 + 2 * config.mlp_ratio
        return int(tokens * config.hidden_size * states * self._dtype.itemsize)


def _load(folder: Path, layers: Sequence[int]) -> Any:
    """The network up to the last of ``layers``, float32, on the CPU."""
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    data = {key: value for key, value in read_config(folder).items() if key not in ("stage_names", "out_features")}
    name = "Dinov2WithRegisters" if data.get("model_type") == "dinov2_with_registers" else "Dinov2"
    wanted = {"num_hidden_layers": max(1, *layers), "out_indices": list(layers)}
    wanted |= {"apply_layernorm": True, "reshape_hidden_states": True}
    try:
        config = getattr(transformers, f"{name}Config")(**{**data, **wanted})
        model, found = getattr(transformers, f"{name}Backbone").from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            attn_implementation="sdpa",
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(
            "model-wrong", f"The model in {folder} cannot be loaded: {error}", "Choose a folder with a DINOv2 model."
        ) from error
    missing = sorted(name for name in found["missing_keys"] if not name.endswith("mask_token"))
    if missing:
        raise ModelError(
            "model-wrong",
            f"The model in {folder} lacks {len(missing)} of its tensors, such as {missing[0]}.",
            "Choose a folder with a DINOv2 model.",
        )
    return model
