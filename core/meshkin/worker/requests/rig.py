"""Requests about bones and poses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .arrays import ArrayBundle
from .base import Request


@dataclass(frozen=True)
class SkeletonArrays(ArrayBundle):
    """Bones that were found in skin weights, every parent before its children.

    Attributes:
        column: int (B,), each bone's column of the weights.
        heads, tails: float64 (B, 3), in the shape's frame.
        parents: int (B,), -1 for the root.
    """

    layout: ClassVar[dict[str, str]] = {"column": "B", "heads": "B3", "tails": "B3", "parents": "B"}
    column: NDArray[np.integer]
    heads: NDArray[np.float64]
    tails: NDArray[np.float64]
    parents: NDArray[np.integer]


@dataclass(frozen=True)
class ExtractSkeletonResult:
    """``arrays`` is a file of :class:`SkeletonArrays`."""

    arrays: Path


@dataclass(frozen=True)
class ExtractSkeleton(Request[ExtractSkeletonResult], job="skeleton"):
    """Build a skeleton from skin weights alone.

    Attributes:
        shape: snapshot file.
        weights: file of an array (V, C).
        output: where to write the result's arrays.
    """

    shape: Path
    weights: Path
    output: Path


@dataclass(frozen=True)
class BoneArrays(ArrayBundle):
    """A skeleton in the source's frame, every parent before its children.

    Attributes:
        heads, tails: float64 (B, 3).
        axes: float64 (B, 3), each bone's Z axis.
        parents: int (B,), -1 for none.
        mirror: int (B,), the bone of the other side, -1 for none.
        column: int (B,), the bone's column of the skin weights, -1 for none.
    """

    layout: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("heads", "tails", "axes"), "B3"),
        **dict.fromkeys(("parents", "mirror", "column"), "B"),
    }
    heads: NDArray[np.float64]
    tails: NDArray[np.float64]
    axes: NDArray[np.float64]
    parents: NDArray[np.integer]
    mirror: NDArray[np.integer]
    column: NDArray[np.integer]


@dataclass(frozen=True)
class FittedBoneArrays(ArrayBundle):
    """The skeleton in the target's frame.

    Attributes:
        heads, tails, axes: float64 (B, 3).
        moved: bool (B,), bones with an end that came to lie outside and was brought back into the body.
        copied: bool (B,), bones that could not be fitted and stand as on the source, scaled.
        doubtful: bool (B,), bones that stay where they were fitted, though they are unlike those of the source.
        outside: bool (B,), bones with an end that lies outside of the body all the same.
    """

    layout: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("heads", "tails", "axes"), "B3"),
        **dict.fromkeys(("moved", "copied", "doubtful", "outside"), "B"),
    }
    heads: NDArray[np.float64]
    tails: NDArray[np.float64]
    axes: NDArray[np.float64]
    moved: NDArray[np.bool_]
    copied: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    outside: NDArray[np.bool_]


@dataclass(frozen=True)
class FitBonesResult:
    """A fitted skeleton.

    Attributes:
        arrays: file of :class:`FittedBoneArrays`.
        scale: how many times larger the target is.
        whole: whether no bone was fitted, but all stand as on the source, scaled.
    """

    arrays: Path
    scale: float
    whole: bool


@dataclass(frozen=True)
class FitBones(Request[FitBonesResult], job="joints"):
    """Move a skeleton of the source into the target.

    Attributes:
        source, target: snapshot files.
        map: file of their :class:`meshkin.data.surface_map.Match`.
        bones: file of :class:`BoneArrays`.
        weights: file of an array (U, C), the source's skin weights.
        output: where to write the result's arrays.
    """

    source: Path
    target: Path
    map: Path
    bones: Path
    weights: Path
    output: Path


@dataclass(frozen=True)
class JointArrays(ArrayBundle):
    """Where bones lie on another body.

    Attributes:
        heads, tails: float64 (B, 3), in that body's frame; zeros where they are not known.
        known: bool (B,), bones that its armature has.
    """

    layout: ClassVar[dict[str, str]] = {"heads": "B3", "tails": "B3", "known": "B"}
    heads: NDArray[np.float64]
    tails: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class MapByJointsResult:
    """A map by nearness.

    Attributes:
        map: file of a :class:`meshkin.data.surface_map.Match`.
        distance: mean distance of the target from the posed source, in diagonals of its bounding box.
        change: how much the joints are arranged otherwise than the source's: root mean square distance after turning,
            scaling and shifting them onto each other, in the same diagonals.
        posed: file of an array float32 (U, 3), the vertices of the posed source in the target's frame, from which a
            match starts: with ends whose joints do not say their sizes (giant heads) as large as the target's.
        key: of the bones, weights and joints that posed it.
    """

    map: Path
    distance: float
    change: float
    posed: Path
    key: str


@dataclass(frozen=True)
class MapByJoints(Request[MapByJointsResult], job="map-by-joints"):
    """Map two bodies by nearness, the source posed until its joints lie where the target's armature has them.

    Attributes:
        source, target: snapshot files.
        bones: file of :class:`BoneArrays`, as they pose the source.
        weights: file of an array (U, C), the source's skin weights.
        joints: file of :class:`JointArrays`, as they pose the target.
        output: where to write the map.
        posed: where to write the vertices of the posed source.
    """

    source: Path
    target: Path
    bones: Path
    weights: Path
    joints: Path
    output: Path
    posed: Path


@dataclass(frozen=True)
class PosedArrays(ArrayBundle):
    """The target in the source's pose.

    Attributes:
        vertices: float32 (W, 3), of the target's own mesh.
        known: bool (W,), vertices at which the map was relied on.
    """

    layout: ClassVar[dict[str, str]] = {"vertices": "W3", "known": "W"}
    vertices: NDArray[np.float32]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class PoseShapeResult:
    """The target in the source's pose.

    Attributes:
        arrays: file of :class:`PosedArrays`.
        stretch: mean relative change of the edges' lengths.
        folded: share of the surface that the pose folds over itself.
    """

    arrays: Path
    stretch: float
    folded: float


@dataclass(frozen=True)
class PoseShape(Request[PoseShapeResult], job="pose"):
    """Bring the target's own mesh into the source's pose.

    Attributes:
        source: snapshot file.
        own: snapshot file of the target's own (unevaluated) mesh.
        original: file of an array int (W,), for each vertex of ``own`` its vertex among the map's.
        map: file of a :class:`meshkin.data.surface_map.Match`.
        threshold: confidence from which the map is relied on, in [0, 1].
        output: where to write the result's arrays.
    """

    source: Path
    own: Path
    original: Path
    map: Path
    threshold: float
    output: Path
