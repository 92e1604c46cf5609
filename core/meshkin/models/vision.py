"""Vision transformers by their ``config.json``: whether their tokens form a grid over the picture, and which."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DINOV2_TYPES = ("dinov2", "dinov2_with_registers")
"""Model types of ``transformers`` that are DINOv2."""
_KNOWN_TYPES = (*DINOV2_TYPES, "dinov3_vit")
"""Model types of ``transformers`` that are read even where the configuration leaves sizes to their defaults."""
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "patch_size")
"""What the configuration of any plain vision transformer tells."""
_LARGEST = 65536
"""The largest size that a configuration may tell (chosen: the largest published networks are 6,144 wide)."""
_REFUSALS = {
    "mask_ratio": "it hides patches at random",
    "depths": "its blocks have grids of different sizes",
    "num_frames": "it looks at videos",
    "tubelet_size": "it looks at videos",
    "type_vocab_size": "it reads text",
    "num_mel_bins": "it reads sound",
}
"""Entries of a configuration with which no fixed grid comes out, and why."""


def is_vision_transformer(config: Mapping[str, Any]) -> bool:
    """Whether the configuration is one of a vision transformer, with a grid of patches or not."""
    return config.get("model_type") in _KNOWN_TYPES or all(name in config for name in _SIZES)


def refusal(config: Mapping[str, Any]) -> str:
    """Why a vision transformer with this configuration gives no grid of features, or "" where it does."""
    for name, reason in _REFUSALS.items():
        if config.get(name) is not None:
            return reason
    for name in ("hidden_size", "num_hidden_layers", "num_attention_heads"):
        value = config.get(name, 1)
        if type(value) is not int or not 1 <= value <= _LARGEST:
            return f"its {name} is {value!r:.40}"
    if config.get("hidden_size", 1) % config.get("num_attention_heads", 1):
        return "its hidden_size is no multiple of its num_attention_heads"
    if config.get("num_channels", 3) != 3:
        return f"it looks at pictures of {config['num_channels']} channels"
    size = config.get("patch_size", 1)
    sides = size if isinstance(size, list) else [size, size]
    if len(sides) != 2 or sides[0] != sides[1] or type(sides[0]) is not int or not 1 <= sides[0] <= _LARGEST:
        return f"its patches are not square ({size!r:.40})"
    return ""


def patch_size(config: Mapping[str, Any]) -> int:
    """Pixels along a patch."""
    size = config.get("patch_size", 14 if config.get("model_type") == "dinov2" else 16)  # the types' own defaults
    return int(size[0] if isinstance(size, list) else size)


def layer_count(config: Mapping[str, Any]) -> int:
    """Number of blocks: hidden states are counted from 0, the embedding, to this, what the last block puts out."""
    return int(config.get("num_hidden_layers", 12))
