"""Any plain vision transformer, as ``transformers`` loads and runs it: always for all patches."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..base.errors import ModelError

_NORMS = ("layernorm", "norm", "post_layernorm")
"""What the layer norm after the last block is called."""
_LEADING_TOKENS = ("cls_token", "class_embedding", "distillation_token", "register_tokens")
"""Learned tokens that stand before those of the patches."""


class TransformersNetwork:
    """A vision transformer up to some block.

    Args:
        folder: the model, as ``transformers`` keeps it.
        blocks: how many to build; the others are not even loaded.
        device: where it runs.
        dtype: its precision.

    Attributes:
        channels: of every hidden state.
        leading: tokens before those of the patches.

    Raises ModelError ``model-wrong`` when the weights do not fit the architecture.
    """

    def __init__(self, folder: Path, blocks: int, device: torch.device, dtype: torch.dtype) -> None:
        self._folder = folder
        self._dtype = dtype
        self._blocks = max(1, blocks)
        self._model = _load(folder, self._blocks).to(device, dtype).eval()
        self._norm = next((getattr(self._model, name) for name in _NORMS if hasattr(self._model, name)), None)
        self.channels = int(self._model.config.hidden_size)
        self.leading = sum(
            value.numel() // self.channels
            for name, value in self._model.named_parameters()
            if name.rpartition(".")[2] in _LEADING_TOKENS
        )
        interpolate = "interpolate_pos_encoding" in inspect.signature(self._model.forward).parameters
        self._options = {"interpolate_pos_encoding": True} if interpolate else {}

    def states(self, pictures: torch.Tensor, kept: torch.Tensor, layers: Sequence[int]) -> Iterator[torch.Tensor]:
        """Hidden states as :meth:`meshkin.features.dinov2_network.Dinov2Network.states` gives them.

        All patches take part, whichever are ``kept``. Raises ModelError ``model-wrong`` when the tokens are no grid of
        patches.
        """
        number, rows, columns = kept.shape
        states = self._model(pictures.to(self._dtype), output_hidden_states=True, **self._options).hidden_states
        wanted = (number, self.leading + rows * columns)
        if len(states) != self._blocks + 1 or any(state.shape[:-1] != wanted for state in states):
            shape = tuple(states[-1].shape) if states else ()
            raise wrong(
                self._folder,
                f"gives {len(states)} hidden states of shape {shape}, not tokens of {rows} x {columns} patches",
            )
        for layer in layers:
            state = states[layer] if self._norm is None else self._norm(states[layer])
            yield state[:, self.leading :][kept.flatten(1)]


def wrong(folder: Path, what: str) -> ModelError:
    """A ``model-wrong`` error about the model in ``folder``."""
    return ModelError("model-wrong", f"The model in {folder} {what}.", "Choose a folder with a DINOv2 model.")


def _load(folder: Path, blocks: int) -> Any:
    """The network up to some block, float32, on the CPU."""
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        settings = transformers.AutoConfig.from_pretrained(folder, **local)
        settings.num_hidden_layers = blocks
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
