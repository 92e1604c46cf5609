"""What can be asked of each extractor, and the version of its code: known without loading any of its libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..base.errors import InputError
from ..models import config as read_config

CODE = {"dinov2": 1, "efficientnet": 1, "geometric": 1, "diff3f": 1, "sd_dino": 2}
"""Raised whenever an extractor would give other features for the same parameters."""
STYLES = ("normal", "shading", "textured")
"""``normal``: the camera-space normal as a color. ``shading``: a gray surface in even light. ``textured``: the
object's own materials in even light, or a photograph."""
STRIDES = (2, 4, 8, 16, 16, 32, 32)
"""Pixels a cell of each stage's map."""

TAPS = {
    "s5": "up_blocks.0.resnets.1",
    "up0": "up_blocks.0",
    "s4": "up_blocks.1.attentions.1",
    "up1": "up_blocks.1",
    "s3": "up_blocks.2.attentions.1",
    "up2": "up_blocks.2",
    "s2": "up_blocks.3.attentions.1",
    "up3": "up_blocks.3",
}
"""Places in a Stable Diffusion decoder whose output can be read, in the order in which they are reached.

``up1`` is what Diff3F reads: a block's output after its upsampler. ``s5`` to ``s2`` are the hidden states that enter
the decoder's layers 2, 5, 8 and 11, before the skip connection, which SD+DINO reads."""


def check_layers(folder: Path, layers: Sequence[int]) -> None:
    """Raise InputError ``features-option`` unless ``layers`` are ascending hidden states of the model in ``folder``."""
    last = int(read_config(folder).get("num_hidden_layers", 12))
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] <= last:
        raise InputError(
            "features-option",
            f"The model in {folder} has no layers {', '.join(map(str, layers)) or '(none given)'}.",
            f"Give ascending numbers from 0 (the embedding) to {last} (the last block).",
        )


def check_stages(stages: Sequence[int]) -> None:
    """Raise InputError ``features-option`` unless ``stages`` are ascending numbers from 0 to 6."""
    if not stages or list(stages) != sorted(set(stages)) or not 0 <= stages[0] <= stages[-1] < len(STRIDES):
        raise InputError(
            "features-option",
            f"EfficientNet-Lite has no stages {', '.join(map(str, stages)) or '(none given)'}.",
            f"Give ascending numbers from 0 to {len(STRIDES) - 1}.",
        )
