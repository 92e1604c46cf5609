"""Requests about the maps that are read from pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...pictures.models import MapModel
from .base import Request


@dataclass(frozen=True)
class DepthScale:
    """How a photograph's depth was fitted to a surface, as :class:`meshkin.pictures.depth_fitting.DepthFit`."""

    scale: float
    shift: float
    error: float
    inliers: float


@dataclass(frozen=True)
class FindMapModelsResult:
    """The models that read maps.

    Attributes:
        models: each once.
        missing: why maps that may be left out are left out; "" where none is.
    """

    models: tuple[MapModel, ...]
    missing: str


@dataclass(frozen=True)
class FindMapModels(Request[FindMapModelsResult], job="find-map-models"):
    """Say which models read maps from pictures, before anything is computed.

    Attributes:
        what: names of maps that must be read.
        welcome: names of maps that are read where their models are there.
        model: a folder, known name or hub id that the user names; "" for the known ones.
        online: whether models that must be there may be fetched.
    """

    what: tuple[str, ...]
    welcome: tuple[str, ...]
    model: str
    online: bool


@dataclass(frozen=True)
class MapPictureResult:
    """What was read from a picture.

    Attributes:
        maps: for each map the file of an array float32 (H, W) or (H, W, 3), as
            :meth:`meshkin.pictures.reading.MapReader.read` gives it; the albedo has the photograph's mean color inside
            the mask.
        fit: how the depth was fitted to the matched surface: it is in its units then; None where it was not.
    """

    maps: dict[str, Path]
    fit: DepthScale | None


@dataclass(frozen=True)
class MapPicture(Request[MapPictureResult], job="map-picture"):
    """Read maps from a photograph.

    Attributes:
        photo: image file; None for that of ``match``.
        mask: image file, white where the object is; None for the photograph's transparency.
        match: file of the :class:`meshkin.data.photo_map.PhotoMap` that tells photograph, mask and camera; None for a
            photograph without one.
        shape: snapshot file of the surface that is matched, to which the depth is fitted; None to leave it as it is.
        models: what reads the maps.
        seed, steps, resolution: as :meth:`meshkin.pictures.reading.MapReader.read` takes them.
        device: what computes.
        folder: where to write the maps.
    """

    photo: Path | None
    mask: Path | None
    match: Path | None
    shape: Path | None
    models: tuple[MapModel, ...]
    seed: int
    steps: int
    resolution: int
    device: str
    folder: Path
