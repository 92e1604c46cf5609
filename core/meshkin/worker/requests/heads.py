"""Requests about heads on the maps of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...data.recipe import Recipe
from .base import NoResult, Request


@dataclass(frozen=True)
class HeadMember:
    """A mesh from which a head is learnt.

    Attributes:
        name: of the mesh.
        shape: snapshot file of the mesh at rest.
        poses: snapshot files of the same in several poses.
        passes: for each of them the folder of its rendered :class:`meshkin.data.views.Passes`, with colors.
    """

    name: str
    shape: Path
    poses: tuple[Path, ...]
    passes: tuple[Path, ...]


@dataclass(frozen=True)
class CheckHead(Request[NoResult], job="check-head"):
    """Check whether a head can be kept, before anything is rendered.

    Attributes:
        name: what to call it.
        replace: whether a model of this name is replaced.
    """

    name: str
    replace: bool


@dataclass(frozen=True)
class LearnHeadResult:
    """``folder`` is the head's; ``losses`` are the mean losses of each tenth of the steps."""

    folder: Path
    losses: tuple[float, ...]


@dataclass(frozen=True)
class LearnHead(Request[LearnHeadResult], job="learn-head"):
    """Learn a head on the maps of one model from renders of meshes.

    Attributes:
        members: the meshes.
        recipe: the model, as its only part, and the cameras.
        steps: of the learning.
        name: what to call the head.
        replace: whether a model of this name is replaced.
        device: what reads the pictures.
    """

    members: tuple[HeadMember, ...]
    recipe: Recipe
    steps: int
    name: str
    replace: bool
    device: str
