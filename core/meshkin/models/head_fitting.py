"""Whether heads go together with the models whose maps they read: known from configurations alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..base.errors import InputError, ModelError
from ..base.json_data import from_json
from ..data.recipe import PartModel
from .checking import config
from .heads import HeadLesson, sizes_of


def lesson_of(folder: Path) -> HeadLesson:
    """What the head in a folder was learnt on; raises ModelError ``model-wrong``."""
    try:
        return from_json(HeadLesson, config(folder).get("lesson", {}), "lesson")
    except InputError as error:
        raise ModelError("model-wrong", f"The head in {folder} cannot be used: {error.message}", error.fix) from error


def check_fits(folder: Path, model: PartModel, layers: tuple[int, ...]) -> None:
    """Raise ModelError ``model-wrong`` unless the head in a folder was learnt on these layers of this model."""
    lesson = lesson_of(folder)
    fix = "Learn another head, or choose what it was learnt on."
    if lesson.checksum != model.checksum:
        what = f"The head in {folder} was learnt on “{lesson.model}”, not “{model.name}”."
        raise ModelError("model-wrong", what, fix)
    if lesson.layers != tuple(layers):
        text = ", ".join(map(str, lesson.layers))
        raise ModelError("model-wrong", f"The head in {folder} was learnt on the layers {text} alone.", fix)


def check_inputs(folder: Path, channels: Sequence[int]) -> None:
    """Raise ModelError ``model-wrong`` unless the head in a folder reads maps of so many channels."""
    inputs = sizes_of(config(folder), folder).inputs
    if inputs != tuple(channels):
        given, wanted = (", ".join(map(str, counts)) for counts in (channels, inputs))
        what = f"The head in {folder} reads maps of {wanted} channels, but these models give {given}."
        raise ModelError("model-wrong", what, "Use the models that it was made for.")
