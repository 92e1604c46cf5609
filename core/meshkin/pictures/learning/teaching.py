"""From a folder of pairs to a file of what was learned."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ...base.errors import InputError
from ...base.progress import ProgressCallback
from ...cache import store as cache
from ...models import devices, locating
from ...models.checking import Located
from . import files, training
from .networks import LoraNetwork, SmallNetwork, Translator
from .options import SMALL
from .pairs import PicturePairs
from .record import LearnedRecord

BASE = "stable-diffusion"
"""The kind of the models that a LoRA is learned on."""
LEARNING_VERSION = 3
"""Raised when the same pairs and settings teach something else: what an older version has noted is not gone on with."""


@dataclass(frozen=True)
class PictureTask:
    """What is to be learned, and with what.

    Attributes:
        lesson: the learning.
        model: :data:`SMALL`, or the Stable Diffusion model that gets a LoRA.
        device: what computes.
        online: whether a model that is not there may be fetched.
    """

    lesson: training.PictureLesson
    model: str
    device: str
    online: bool


@dataclass(frozen=True)
class Learned:
    """What was learned: what is noted of it, the error of all held-out pairs, and the folder of the epochs."""

    record: LearnedRecord
    error: float
    epochs: Path


def teach(folder: Path, output: Path, task: PictureTask, report: ProgressCallback) -> Learned:
    """Learn a map from pairs, and write it; a try that was stopped goes on where it was.

    Raises InputError as :class:`PicturePairs`, ``pairs-cells``; ModelError; StorageError.
    """
    pairs = PicturePairs(folder, task.lesson.target)
    device = devices.choose(task.device)
    base = located(task.model, task.online, report)
    network = build(base, task.lesson.seed, str(device))
    if pairs.record.size % network.cells:
        what = f"Pictures of {pairs.record.size} pixels do not fit this network."
        raise InputError("pairs-cells", what, f"Render pairs of a size that is a multiple of {network.cells}.")
    told = [LEARNING_VERSION, pairs.key, asdict(task.lesson), base.checksum if base else SMALL, str(device)]
    key = hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()
    notes = cache.partial_folder(key) / "picture.pt"
    epochs = output.parent / f"{output.stem} epochs"
    learning = training.PictureLearning(network, pairs, task.lesson, device)
    training.learn(learning, notes, epochs, report)
    error, mean_error = training.judge(network, pairs, device, task.lesson)
    record = LearnedRecord(
        task.lesson.target,
        "lora" if base else "small",
        base.name if base else "",
        base.checksum if base else "",
        pairs.record.size,
        task.lesson.steps,
        tuple(subject.name for subject in pairs.record.subjects),
        tuple(learning.errors),
        mean_error,
    )
    files.write(output, network.tensors(), record)
    notes.unlink(missing_ok=True)
    return Learned(record, error, epochs)


def located(model: str, online: bool, report: ProgressCallback) -> Located | None:
    """The Stable Diffusion model of a name; None for the small network. Raises ModelError."""
    return None if model == SMALL else locating.locate(BASE, model, online=online, report=report)


def build(base: Located | None, seed: int, device: str) -> Translator:
    """The network that is taught: a LoRA on a model, or a small one of its own."""
    return LoraNetwork(base.folder, seed, device) if base else SmallNetwork(seed, device)
