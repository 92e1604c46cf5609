"""Requests about maps that are learned from pairs of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class LearnPictureResult:
    """What was learned.

    Attributes:
        output: the file.
        epochs: the folder of a picture for each epoch.
        network: what was taught, in words.
        error: of the held-out pairs: degrees of normals, else the difference of colors in [0, 1].
        mean_error: of the mean of all maps, for the same pairs.
        errors: of some held-out pairs after each epoch.
        unit: of the errors.
    """

    output: Path
    epochs: Path
    network: str
    error: float
    mean_error: float
    errors: tuple[float, ...]
    unit: str


@dataclass(frozen=True)
class LearnPicture(Request[LearnPictureResult], job="learn-picture"):
    """Learn a map from pairs. A try that was stopped goes on where it was.

    Attributes:
        pairs: the folder of the pairs.
        output: the file to write.
        target: one of :data:`meshkin.pictures.learning.options.TARGETS`.
        model: :data:`meshkin.pictures.learning.options.SMALL`, or the Stable Diffusion model that gets a LoRA.
        steps: of the learning.
        batch: pairs that each looks at.
        seed: of all random numbers.
        device: what computes.
        online: whether a model that is not there may be fetched.
    """

    pairs: Path
    output: Path
    target: str
    model: str
    steps: int
    batch: int
    seed: int
    device: str
    online: bool


@dataclass(frozen=True)
class ApplyPictureResult:
    """``output`` is the file of the map; ``target`` says what it shows, "" where that is not known."""

    output: Path
    target: str


@dataclass(frozen=True)
class ApplyPicture(Request[ApplyPictureResult], job="apply-picture"):
    """Find the map of a picture with what was learned.

    Attributes:
        picture: the file of the picture.
        learned: the file of what was learned, or the name of an imported one.
        model: the Stable Diffusion model that a LoRA is for; "" for the one that it notes.
        output: the file to write.
        device: what computes.
        online: whether a model that is not there may be fetched.
    """

    picture: Path
    learned: str
    model: str
    output: Path
    device: str
    online: bool
