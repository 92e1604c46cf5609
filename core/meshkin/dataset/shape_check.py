"""Whether painted pictures keep the shapes that they were painted on: normals read from them, beside the true ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from ..base.progress import ProgressCallback
from ..base.storage import readable_failure, write_file
from ..geometry.arrays import Floats, unit_rows
from ..pictures import reading, view_fit
from ..pictures.models import MapModel
from .record import DataFolder, PicturePasses

MISFITS = "shape_misfits.json"
"""File of the misfits, by pictures."""
READ_STEPS, READ_RESOLUTION = 4, 768
"""Steps and longer side in pixels with which Marigold reads a picture: those that it is published with."""
LARGEST_SCALE = 2
"""How many times as large a picture may be made for that. Chosen: beyond it there is nothing more to see."""


def misfits(
    folder: DataFolder, numbers: Sequence[int], model: MapModel, seed: int, device: str, report: ProgressCallback
) -> Floats:
    """How badly pictures fit what they are of, (N,): see :func:`meshkin.pictures.view_fit.misfit`.

    Args:
        folder: of the set.
        numbers: of the pictures.
        model: reads normals from pictures.
        seed: of the noise that they are read from.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.

    Raises StorageError, and as :func:`meshkin.pictures.reading.load`.
    """
    found = []
    for done, number in enumerate(numbers):
        report("Reading shapes from pictures", done / len(numbers))
        passes = PicturePasses.load(folder.passes(number))
        with readable_failure(folder.picture(number), "reading"), Image.open(folder.picture(number)) as opened:
            picture = np.array(opened.convert("RGB"))
        inside = passes.object > 0
        # y up, z toward the camera
        true = unit_rows(passes.normal.astype(np.float32)) * np.array((1, -1, -1), np.float32)
        settings = (seed, READ_STEPS, min(READ_RESOLUTION, LARGEST_SCALE * max(inside.shape)))
        predicted = reading.read_maps(model, picture, inside, settings, device)["normal"]
        found.append(view_fit.misfit(predicted, true, inside))
    return np.array(found)


def write_misfits(folder: DataFolder, numbers: Sequence[int], found: Floats, drop: float) -> set[int]:
    """Write how badly pictures fit; returns the numbers of the worst share. Raises StorageError."""
    named = {f"{number:06d}.png": float(misfit) for number, misfit in zip(numbers, found, strict=True)}
    write_file(folder.path / MISFITS, partial(Path.write_text, data=json.dumps(named), encoding="utf-8"))
    return {numbers[row] for row in view_fit.worst(found, drop).tolist()}
