"""What was learned applied to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, ModelError
from ...base.png import write_png
from ...base.progress import ProgressCallback
from ...base.storage import UNREADABLE
from ...models import devices
from . import importing, teaching, training
from .networks import Translator
from .options import SMALL
from .record import LearnedRecord

UNKNOWN_SIZE = 512
"""Shorter side that a picture is brought to for a LoRA that does not tell its pictures' size, pixels. Published."""


@dataclass(frozen=True)
class Where:
    """What a map is found with.

    Attributes:
        model: the Stable Diffusion model of a LoRA; "" for the one that it notes.
        device: what computes.
        online: whether a model that is not there may be fetched.
    """

    model: str
    device: str
    online: bool


def apply(picture: Path, learned: str, where: Where, output: Path, report: ProgressCallback) -> str:
    """Find the map of a picture, and write it as a PNG file of the picture's size; returns what it shows.

    Raises InputError ``photo-missing``, ``photo-unreadable``; ModelError ``model-missing``, ``model-wrong``,
    ``lora-base``; StorageError.
    """
    pixels = _read(picture)
    tensors, record = importing.load(learned)
    base = None
    if record.network == "lora":
        base = teaching.located(_base_of(record, where.model), where.online, report)
        assert base is not None
        if record.base_checksum and base.checksum != record.base_checksum:
            what = f"“{learned}” was learned on another model than {base.name}: on {record.base}."
            raise ModelError("lora-base", what, "Name the model that it was learned on with --base.")
    device = devices.choose(where.device)
    network = teaching.build(base, 0, str(device))
    network.load(tensors, f"“{learned}”")
    report("Finding the map", 0.2)
    write_png(output, translated(network, pixels, record, str(device)))
    return record.target


def translated(
    network: Translator, picture: NDArray[np.uint8], record: LearnedRecord, device: str
) -> NDArray[np.uint8]:
    """The map of a picture (H, W, 3) of any size, uint8 of the same shape; ``record`` is the network's."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = (record.size or UNKNOWN_SIZE) / min(height, width)
    fitting = [max(round(side * scale / network.cells), 1) * network.cells for side in (width, height)]
    small = Image.fromarray(picture).resize((fitting[0], fitting[1]), Image.Resampling.LANCZOS)
    found = training.find(network, np.asarray(small)[None], record.target, device)[0]
    return np.asarray(Image.fromarray(found).resize((width, height), Image.Resampling.BICUBIC))


def _base_of(record: LearnedRecord, model: str) -> str:
    """The model of a LoRA; raises ModelError ``lora-base`` where nobody says."""
    if (name := model or record.base) and name != SMALL:
        return name
    raise ModelError("lora-base", "This LoRA does not tell which model it is for.", "Name the model with --base.")


def _read(path: Path) -> NDArray[np.uint8]:
    """A picture, uint8 (H, W, 3); raises InputError ``photo-missing``, ``photo-unreadable``."""
    from PIL import Image, ImageOps

    if not path.is_file():
        raise InputError("photo-missing", f"There is no file {path}.", "Check the path.")
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except (*UNREADABLE, SyntaxError) as error:
        raise InputError("photo-unreadable", f"{path} is no picture that can be read.", "Save it as PNG.") from error
