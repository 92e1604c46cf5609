"""Requests about features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...data.recipe import FeatureChoice, Recipe
from .arrays import ArrayBundle
from .base import NoResult, Request


@dataclass(frozen=True)
class PlanFeaturesResult:
    """What features of a shape need.

    Attributes:
        recipe: how they are computed.
        key: their name in the cache.
        features: their file in the cache; None if they are not there.
        wants_color: whether the object's own colors have to be rendered.
        painter: what the extractor that makes pictures of its own is called; "" for none.
        painted: how many of these pictures are kept.
        needs_views: whether views have to be rendered: features that others are made of may be in the cache.
        appearance: as it was asked.
    """

    recipe: Recipe
    key: str
    features: Path | None
    wants_color: bool
    painter: str
    painted: int
    needs_views: bool
    appearance: str


@dataclass(frozen=True)
class PlanFeatures(Request[PlanFeaturesResult], job="plan"):
    """Say what features of a shape need, before anything is rendered.

    Attributes:
        shape: the shape's :attr:`meshkin.data.snapshot.Snapshot.key`.
        choice: what the user asks for.
        device: what computes: "auto", "cpu" or a PyTorch device. One that is not there is refused here.
        appearance: content hash of the object's materials; "" if it is not known yet whether they count.
    """

    shape: str
    choice: FeatureChoice
    device: str
    appearance: str


@dataclass(frozen=True)
class LoadModels(Request[NoResult], job="prepare"):
    """Load the large models of a recipe: what is wrong with them shows before anything is rendered.

    Attributes:
        recipe: the recipe.
        device: what computes.
    """

    recipe: Recipe
    device: str


@dataclass(frozen=True)
class ComputeFeaturesResult:
    """``features`` is the features' file in the cache."""

    features: Path


@dataclass(frozen=True)
class ComputeFeatures(Request[ComputeFeaturesResult], job="features"):
    """Compute features into the cache.

    Attributes:
        snapshot: file of the snapshot.
        passes: folder of the rendered :class:`meshkin.data.views.Passes`; None if no view had to be rendered.
        recipe: how they are computed.
        key: their name in the cache.
        device: what computes.
        appearance: content hash of the object's materials.
    """

    snapshot: Path
    passes: Path | None
    recipe: Recipe
    key: str
    device: str
    appearance: str


@dataclass(frozen=True)
class FeatureColorArrays(ArrayBundle):
    """What is shown of the features of one shape.

    Attributes:
        colors: float32 (V, 3) in [0, 1].
        channels: float32 (V, K), the principal components.
        seen: int16 (V,), number of views that saw the vertex.
        confidence: float32 (V,) in [0, 1].
    """

    layout: ClassVar[dict[str, str]] = {"colors": "V3", "channels": "VK", "seen": "V", "confidence": "V"}
    colors: NDArray[np.float32]
    channels: NDArray[np.float32]
    seen: NDArray[np.int16]
    confidence: NDArray[np.float32]


@dataclass(frozen=True)
class ColorFeaturesResult:
    """``arrays`` holds a file of :class:`FeatureColorArrays` for each shape, in order."""

    arrays: tuple[Path, ...]


@dataclass(frozen=True)
class ColorFeatures(Request[ColorFeaturesResult], job="colors"):
    """Project the features of several shapes onto common principal components, and make colors of them.

    Attributes:
        features: their files in the cache.
        channels: how many components.
        folder: where to write the results' arrays.
    """

    features: tuple[Path, ...]
    channels: int
    folder: Path


@dataclass(frozen=True)
class MakeContactSheetResult:
    """What the models see of a shape.

    Attributes:
        picture: file of an array uint8 (H, W, 3), sRGB, row 0 at the top: numbered tiles.
        painted: how many of the tiles show painted views.
    """

    picture: Path
    painted: int


@dataclass(frozen=True)
class MakeContactSheet(Request[MakeContactSheetResult], job="sheet"):
    """Make one picture of all views of a shape.

    Attributes:
        passes: folder of the :class:`meshkin.data.views.Passes` of all views, also of those that are left out.
        recipe: says what the pictures look like, and which views are left out.
        key: name of the features in the cache, whose painted views are shown if there are some.
        keep: folder for each picture as a file; None to keep none.
        output: where to write the picture.
    """

    passes: Path
    recipe: Recipe
    key: str
    keep: Path | None
    output: Path
