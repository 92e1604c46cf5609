"""Requests about parts of shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class PartArrays(ArrayBundle):
    """The parts of an object's own mesh.

    Attributes:
        labels: int (N,), the part of each polygon, from 0.
        confidence: float32 (N,), in [0, 1].
    """

    layout: ClassVar[dict[str, str]] = {"labels": "N", "confidence": "N"}
    labels: NDArray[np.integer]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class ShapeToCut:
    """A shape that is to be cut into parts.

    Attributes:
        shape, own: snapshot files of the evaluated mesh and of the own mesh.
        features: file of its features.
        output: file for its :class:`PartArrays`.
    """

    shape: Path
    own: Path
    features: Path
    output: Path


@dataclass(frozen=True)
class FindPartsResult:
    """What was found.

    Attributes:
        count: number of parts, of all shapes together.
        parts: the shapes' files of :class:`PartArrays`.
    """

    count: int
    parts: tuple[Path, ...]


@dataclass(frozen=True)
class FindParts(Request[FindPartsResult], job="find-parts"):
    """Cut shapes into parts, the same of all.

    Attributes:
        shapes: what to cut.
        count: number of parts; 0 for as many as the first shape suggests.
        smooth: how much borders cost.
    """

    shapes: tuple[ShapeToCut, ...]
    count: int
    smooth: float
