"""Requests about families."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class FamilyMember:
    """A shape to learn from.

    Attributes:
        shape: its snapshot file.
        features: the file of its features.
    """

    shape: Path
    features: Path


@dataclass(frozen=True)
class LearnFamilyResult:
    """What was learned.

    Attributes:
        folder: of the family.
        left_out: why shapes were left out, in sentences.
        unlike: names of shapes that are of another kind than most.
        unsided: names of shapes whose left could not be told from their right.
        plateau: whether the losses stopped falling too early.
        curve: of the losses, as text.
    """

    folder: Path
    left_out: tuple[str, ...]
    unlike: tuple[str, ...]
    unsided: tuple[str, ...]
    plateau: bool
    curve: str


@dataclass(frozen=True)
class LearnFamily(Request[LearnFamilyResult], job="learn-family"):
    """Learn a family and keep it among the models. A try that was stopped goes on where it was.

    Attributes:
        name: of the family.
        members: the shapes, with features by one recipe.
        steps: of the learning.
        network: size of the network, one of :data:`meshkin.families.options.NETWORK_CHOICES`.
        replace: whether a family of this name is replaced.
        device: what computes.
    """

    name: str
    members: tuple[FamilyMember, ...]
    steps: int
    network: str
    replace: bool
    device: str


@dataclass(frozen=True)
class ImportModelResult:
    """Attributes:
    folder: of the model.
    lines: what was read, in sentences.
    """

    folder: Path
    lines: tuple[str, ...]


@dataclass(frozen=True)
class ImportModel(Request[ImportModelResult], job="models-import"):
    """Read a published checkpoint and keep it among the models.

    Attributes:
        file: the checkpoint.
        role: what it is to be read as, one of :data:`meshkin.families.importing.ROLES`.
        name: what to call it; "" for the file's name.
        license: of the weights, as its authors say; "" if that is not known.
        replace: whether a model of this name and role is replaced.
    """

    file: Path
    role: str
    name: str
    license: str
    replace: bool
