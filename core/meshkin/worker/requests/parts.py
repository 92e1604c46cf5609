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
        map: file of the match whose source is the first shape and whose target is this one; None for the first.
    """

    shape: Path
    own: Path
    features: Path
    output: Path
    map: Path | None = None


@dataclass(frozen=True)
class FindPartsResult:
    """What was found.

    Attributes:
        count: number of parts.
        names: what they may be called: "Part 1", and "Part 2.L", "Part 2.R" where a shape has two sides.
        parts: the shapes' files of :class:`PartArrays`; none for the first where its parts were given.
        has_sides: whether left and right could be told.
    """

    count: int
    names: tuple[str, ...]
    parts: tuple[Path, ...]
    has_sides: bool


@dataclass(frozen=True)
class FindParts(Request[FindPartsResult], job="find-parts"):
    """Cut a shape into parts, and others into the same ones.

    Attributes:
        shapes: what to cut, the one first that tells what the parts are.
        count: number of parts; 0 for as many as the first shape suggests.
        smooth: how much borders cost.
        labels: file of the parts of the polygons of the first shape, int (N,), -1 for none, if they are known.
    """

    shapes: tuple[ShapeToCut, ...]
    count: int
    smooth: float
    labels: Path | None = None
