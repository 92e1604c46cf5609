"""Which layers of a vision transformer are read: known from its folder, without loading it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..base.errors import InputError
from ..data.recipe import PartModel
from ..models import vision
from ..models.checking import config as read_config
from ..models.known import find
from .settings import require


def last_layer(model: PartModel) -> tuple[int, ...]:
    """The number of the last hidden state."""
    return (vision.layer_count(read_config(Path(model.folder))),)


def best_layers(model: PartModel) -> tuple[int, ...]:
    """The hidden states to read where the user chooses none: those the known model is best at, or the last."""
    known = find(model.name)
    return (known.layers if known else ()) or last_layer(model)


def patch_size(model: PartModel) -> int:
    """Pixels along a patch of the model."""
    return vision.patch_size(read_config(Path(model.folder)))


def state_channels(model: PartModel) -> int:
    """Channels of each hidden state of the model."""
    return int(read_config(Path(model.folder))["hidden_size"])


def check_layers(folder: Path, layers: Sequence[int]) -> None:
    """Raise InputError ``features-option`` unless ``layers`` are ascending hidden states of the model in ``folder``."""
    last = vision.layer_count(read_config(folder))
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] <= last:
        raise InputError(
            "features-option",
            f"The model in {folder} has no layers {', '.join(map(str, layers)) or '(none given)'}.",
            f"Give ascending numbers from 0 (the embedding) to {last} (the last block).",
        )


def check_reading(model: PartModel, layers: Sequence[int], resolution: int) -> None:
    """Check that a model has these layers, and that pictures ``resolution`` pixels large have whole patches.

    Raises InputError ``features-option``.
    """
    check_layers(Path(model.folder), layers)
    patch = patch_size(model)
    require(resolution % patch == 0, "dino_resolution", resolution, f"a multiple of {patch}")
