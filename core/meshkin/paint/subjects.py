"""What was learned of a subject, a thing on a photograph: a LoRA in a file, and the words that call it up."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..base.errors import InputError, ModelError
from ..base.json_data import from_json
from ..base.storage import UNREADABLE
from ..data.recipe import PartModel
from ..models.lora import NamedTensors
from ..pictures.learning import files

LOOK, KIND = "ItU@T", "o$%c7"
"""Words without a meaning of their own, for how the subject looks on the photograph, and what it is. Source: USD."""


@dataclass(frozen=True)
class SubjectRecord:
    """What is noted of a subject in its file.

    Attributes:
        name: what it is, in common words ("owl").
        base: name of the Stable Diffusion model that the LoRA is for.
        base_checksum: of its weights.
        size: of the pictures that it was learned from, pixels.
        steps: of the learning.
        losses: the mean loss of the first and of the last tenth of each stage's steps.
        model_type: always the same.
    """

    name: str
    base: str
    base_checksum: str
    size: int
    steps: int
    losses: tuple[float, ...] = ()
    model_type: Literal["meshkin-subject"] = field(default="meshkin-subject")


@dataclass(frozen=True)
class LearnedSubject:
    """What was learned.

    Attributes:
        tensors: of the LoRA.
        words: that call it up, to begin a prompt with; "" for a published LoRA, which does not say.
        file: for errors.
    """

    tensors: NamedTensors
    words: str
    file: Path

    def in_prompt(self, prompt: str) -> str:
        """A prompt of the subject."""
        return ", ".join(filter(None, (self.words, prompt)))


def read(file: Path, base: PartModel) -> LearnedSubject:
    """A subject from its file; a published LoRA on the attention of a UNet will do, too.

    Raises ModelError ``model-missing``, ``model-damaged``, ``model-wrong``, and ``lora-base`` where it was learned on
    another model than ``base``.
    """
    if not file.is_file():
        raise ModelError("model-missing", f"There is no file {file}.", "Name what “meshkin subject learn” has written.")
    tensors, noted = files.read_tensors(file)
    if not noted:
        return LearnedSubject(files.lora_tensors(tensors, file), "", file)
    try:
        record = from_json(SubjectRecord, json.loads(noted))
    except (*UNREADABLE, InputError) as error:
        fix = "Name what “meshkin subject learn” has written."
        raise ModelError("model-wrong", f"{file} holds something else than a subject.", fix) from error
    if record.base_checksum != base.checksum:
        what = f"{file} was learned on another model than {base.name}: on {record.base}."
        raise ModelError("lora-base", what, "Name the model that it was learned on as the base, or learn it again.")
    return LearnedSubject(tensors, named(record.name), file)


def named(name: str) -> str:
    """How a prompt calls the subject itself."""
    return f"a photo of a {LOOK} {KIND} {name}"


def of_kind(name: str) -> str:
    """How a prompt calls what is like the subject from all sides."""
    return f"a photo of a {KIND} {name}"


def common(name: str) -> str:
    """How a prompt calls anything that has the subject's name."""
    return f"a photo of a {name}"
