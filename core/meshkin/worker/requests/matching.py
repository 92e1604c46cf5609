"""Requests about maps between shapes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .base import Request


@dataclass(frozen=True)
class MapFile:
    """``map`` is the file of a :class:`meshkin.data.surface_map.Match` in the cache."""

    map: Path


@dataclass(frozen=True)
class IsCopyResult:
    """``same`` says whether the two shapes are the same but for where they are and how their vertices are numbered."""

    same: bool


@dataclass(frozen=True)
class IsCopy(Request[IsCopyResult], job="copy"):
    """Whether one shape is a copy of another.

    Attributes:
        source, target: snapshot files.
    """

    source: Path
    target: Path


@dataclass(frozen=True)
class MatchShapes(Request[MapFile], job="match"):
    """Match two shapes both ways, unless their map is in the cache.

    Attributes:
        source, target: snapshot files.
        source_features, target_features: files of their features in the cache.
        keys: names of these features in the cache.
        pairs: vertices of the source and of the target that are the same point.
        flip: whether to take the other answer.
        posed: file of an array float32 (U, 3), where the source's vertices lie on the target, in its frame, once the
            source is posed onto the target's joints; None if these are not known.
        joints: key of what posed it.
    """

    source: Path
    target: Path
    source_features: Path
    target_features: Path
    keys: tuple[str, str]
    pairs: tuple[tuple[int, int], ...]
    flip: bool
    posed: Path | None = None
    joints: str = ""


@dataclass(frozen=True)
class ComposeMaps(Request[MapFile], job="compose"):
    """The map between two shapes that are both matched to a third one.

    Attributes:
        through, source, target: snapshot files of the third shape and of the two.
        first: file of the map from the third shape to the source.
        second: file of the map from the third shape to the target; None where the target is the third shape.
    """

    through: Path
    source: Path
    target: Path
    first: Path
    second: Path | None
