"""Whether networks go together with a Stable Diffusion model: known from their configurations alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...base.errors import ModelError
from ...data.recipe import PartModel
from ...models.checking import config


def check_fits(base: PartModel, network: PartModel, name: str, sizes: Sequence[str]) -> None:
    """Check that a network was made for a Stable Diffusion model.

    Args:
        base: the Stable Diffusion model.
        network: a ControlNet for its UNet, or another UNet in place of its own.
        name: what the network is called in the error.
        sizes: entries of their configurations that must be the same.

    Raises ModelError ``model-wrong``.
    """
    own, other = config(Path(base.folder) / "unet"), config(Path(network.folder))
    if any(own.get(size) != other.get(size) for size in sizes):
        raise ModelError(
            "model-wrong",
            f"The {name} in {network.folder} is not made for the model in {base.folder}.",
            "Choose one for Stable Diffusion 1.5.",
        )
