"""Places in a Stable Diffusion decoder whose output can be read as features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...models.checking import config
from ..settings import require

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
"""Module of the UNet by the tap's name, in the order in which the decoder reaches them.

``up1`` is what Diff3F reads: a block's output after its upsampler. ``s5`` to ``s2`` are the hidden states that enter
the decoder's layers 2, 5, 8 and 11, before the skip connection, which SD+DINO reads."""

LARGEST_WEIGHT = 1e3
"""Largest weight of a tap. Chosen: only the ratios of the weights count."""


def check_taps(taps: Mapping[str, float]) -> None:
    """Raise InputError ``features-option`` unless ``taps`` are some of :data:`TAPS`, with a positive weight each."""
    known = bool(taps) and set(taps) <= set(TAPS)
    positive = all(0 < weight <= LARGEST_WEIGHT for weight in taps.values())
    require(known and positive, "taps", dict(taps), f"some of {', '.join(TAPS)} with a positive number each")


def tap_channels(folder: Path, tap: str) -> int:
    """Channels of a tap's map in the Stable Diffusion model in a folder, by its configuration alone."""
    widths: Sequence[int] = config(folder / "unet")["block_out_channels"]
    return int(widths[len(widths) - 1 - int(TAPS[tap].split(".")[1])])
