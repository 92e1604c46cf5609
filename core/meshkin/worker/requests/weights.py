"""Requests about skin weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...transfer.weights.options import WeightOptions
from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class IsGarmentResult:
    """``worn`` says whether the target lies on the source."""

    worn: bool


@dataclass(frozen=True)
class IsGarment(Request[IsGarmentResult], job="worn"):
    """Whether the target is worn by the source: whether it lies on it where both stand.

    Attributes:
        source, target: snapshot files.
    """

    source: Path
    target: Path


@dataclass(frozen=True)
class WeightArrays(ArrayBundle):
    """Weights of the target's vertices.

    Attributes:
        weights: (V, B).
        inpainted: bool (V,), vertices whose weights were continued from the vertices around.
        unsolved: bool (V,), vertices for which continuing could not be solved, so that the nearest vertex stands in.
    """

    layout: ClassVar[dict[str, str]] = {"weights": "VB", "inpainted": "V", "unsolved": "V"}
    weights: NDArray[np.floating]
    inpainted: NDArray[np.bool_]
    unsolved: NDArray[np.bool_]


@dataclass(frozen=True)
class ProblemColumns:
    """Columns of the weights that a transfer did not carry well.

    Attributes:
        missing: bones that rule a part of the source and (nearly) none of the target.
        split: bones in one piece on the source and in several on the target.
        crossed: bones that lie on the other side of the bone they mirror.
        missing_share: share of all of the source's weights that the missing bones have.
    """

    missing: tuple[int, ...]
    split: tuple[int, ...]
    crossed: tuple[int, ...]
    missing_share: float


@dataclass(frozen=True)
class MethodErrors:
    """Mean errors of weights on patches of the source that were held out.

    Attributes:
        learned: of weights learned from features.
        copied: of weights copied from the most similar point.
    """

    learned: float
    copied: float


@dataclass(frozen=True)
class TransferWeightsResult:
    """Weights for the target.

    Attributes:
        arrays: file of :class:`WeightArrays`.
        learned: whether they were learned from the features rather than carried over the map.
        errors: of both methods, if they were compared.
        problems: bones that came over badly.
    """

    arrays: Path
    learned: bool
    errors: MethodErrors | None
    problems: ProblemColumns


@dataclass(frozen=True)
class TransferWeights(Request[TransferWeightsResult], job="weights"):
    """Carry weights of the source's vertices to the target's.

    Attributes:
        source, target: snapshot files.
        map: file of their :class:`meshkin.data.surface_map.Match`; None if the target is a garment on the source.
        weights: file of an array (U, B).
        mirror: for each bone the one on the other side, -1 for none.
        options: influence limit, smoothing, threshold and method.
        features: files of the source's and the target's features in the cache; None if there are none.
        output: where to write the result's arrays.
    """

    source: Path
    target: Path
    map: Path | None
    weights: Path
    mirror: tuple[int, ...]
    options: WeightOptions
    features: tuple[Path, Path] | None
    output: Path


@dataclass(frozen=True)
class WeightedSurfaceArrays(ArrayBundle):
    """All of the source's meshes as one, in world axes, from the source's origin.

    Attributes:
        vertices: (U, 3).
        faces: int32 (F, 3).
        weights: (U, B).
    """

    layout: ClassVar[dict[str, str]] = {"vertices": "U3", "faces": "F3", "weights": "UB"}
    vertices: NDArray[np.floating]
    faces: NDArray[np.int32]
    weights: NDArray[np.floating]


@dataclass(frozen=True)
class LoosePartArrays(ArrayBundle):
    """Weights of a shape whose loose parts were looked up.

    Attributes:
        weights: (V, B), those of all vertices.
        matched: bool (V,), vertices of parts that correspond to one of the source's.
    """

    layout: ClassVar[dict[str, str]] = {"weights": "VB", "matched": "V"}
    weights: NDArray[np.floating]
    matched: NDArray[np.bool_]


@dataclass(frozen=True)
class TransferLoosePartsResult:
    """``arrays`` is a file of :class:`LoosePartArrays`."""

    arrays: Path


@dataclass(frozen=True)
class TransferLooseParts(Request[TransferLoosePartsResult], job="parts"):
    """Give the loose parts of a shape (eyes, teeth) the weights of the source's parts that they correspond to.

    Attributes:
        shape: snapshot file of the shape.
        weights: file of an array (V, A), the shape's weights so far; its columns are the first of the meshes'.
        source, target: snapshot files of the two shapes that are matched.
        map: file of their :class:`meshkin.data.surface_map.Match`.
        meshes: file of :class:`WeightedSurfaceArrays`, all of the source's meshes.
        limit: most bones that a vertex may be weighted to.
        output: where to write the result's arrays.
    """

    shape: Path
    weights: Path
    source: Path
    target: Path
    map: Path
    meshes: Path
    limit: int
    output: Path
