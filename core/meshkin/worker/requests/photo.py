"""Requests about photographs. Their textures are among those of :mod:`meshkin.worker.requests.texture`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...data.recipe import Recipe
from .base import NoResult, Request


@dataclass(frozen=True)
class CheckPhoto(Request[NoResult], job="check-photo"):
    """Check whether a photograph can be matched, before anything is computed.

    Attributes:
        photo: image file.
        mask: image file, white where the object is; None for the photograph's transparency.
    """

    photo: Path
    mask: Path | None


@dataclass(frozen=True)
class PhotoMapFile:
    """``map`` is the file of a :class:`meshkin.data.photo_map.PhotoMap` in the cache."""

    map: Path


@dataclass(frozen=True)
class MatchPhoto(Request[PhotoMapFile], job="match-photo"):
    """Match a photograph to a shape, unless their map is in the cache.

    Attributes:
        photo: image file.
        mask: image file, white where the object is; None for the photograph's transparency or, if it has none, for
            where the features agree with the shape's.
        shape: snapshot file.
        features: file of the shape's features in the cache.
        recipe: how they were computed.
        key: their name in the cache.
        device: what computes.
        flip: whether to take the second best view in place of the best.
    """

    photo: Path
    mask: Path | None
    shape: Path
    features: Path
    recipe: Recipe
    key: str
    device: str
    flip: bool = False
