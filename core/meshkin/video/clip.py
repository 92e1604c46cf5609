"""What a fit is given: a character that bones pose, and what the frames of a video show of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..geometry.arrays import AnyIntegers, Floats, Singles


@dataclass(frozen=True)
class PosableShape:
    """A surface at rest with its skeleton, in one frame (the snapshot's).

    Attributes:
        vertices: float (V, 3).
        faces: int (F, 3).
        weights: float32 (V, B), of the bones; rows sum to 1, or to 0 where no bone moves a vertex.
        rest: float64 (B, 4, 4), place and axes of each bone at rest: rotations and heads, no scale.
        parents: int (B,), every parent before its children; -1 for a root.
        limits: float64 (B, 3, 2), least and most of each bone's turn about its own axes, radians, as Euler angles in
            the order XYZ; infinite where it is free.
    """

    vertices: Floats
    faces: NDArray[np.int32]
    weights: Singles
    rest: Floats
    parents: NDArray[np.int32]
    limits: Floats

    @property
    def moved(self) -> NDArray[np.bool_]:
        """Bones (B,) that move a vertex, themselves or by the bones below them."""
        return self.carried > 0

    @property
    def carried(self) -> Floats:
        """The sum of the weights of each bone and of all below it, (B,)."""
        total: Floats = self.weights.sum(axis=0).astype(np.float64)
        for bone in range(len(self.parents) - 1, -1, -1):
            if self.parents[bone] >= 0:
                total[self.parents[bone]] += total[bone]
        return total

    @property
    def main_root(self) -> int:
        """The root that carries most."""
        return int(np.where(self.parents < 0, self.carried, -1).argmax())


@dataclass(frozen=True)
class Anchors:
    """Pixels that show known points of the surface, of all frames, end to end.

    Attributes:
        frame: int (N,), number of the frame, ascending.
        face: int (N,), the triangle that the point lies in.
        barycentric: float (N, 3), where.
        place: float (N, 2), x and y in the picture, pixels, y pointing down.
        confidence: float (N,) in [0, 1].
    """

    frame: NDArray[np.int32]
    face: NDArray[np.int32]
    barycentric: Floats
    place: Floats
    confidence: Floats

    def points(self, shape: PosableShape) -> Floats:
        """The points at rest, (N, 3)."""
        return np.einsum("nk,nkd->nd", self.barycentric, shape.vertices[shape.faces[self.face]])


@dataclass(frozen=True)
class Clip:
    """T frames of a video, as far as a fit looks at them.

    Attributes:
        masks: bool (T, H, W), where the object is; a frame without it has no evidence.
        anchors: matched pixels.
        focal: focal length, pixels.
        cameras: float64 (T, 4, 4), from the frame of the shape to camera axes (x right, y up, looking along -Z); None
            for one camera that stands still somewhere.
        cuts: bool (T,), frames that do not go on from the one before.
        views: float64 (T, 3, 3), rotations from the shape's frame to camera axes as which the frames were matched, 0
            where none is known; None for none at all.
    """

    masks: NDArray[np.bool_]
    anchors: Anchors
    focal: float
    cameras: Floats | None = None
    cuts: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))
    views: Floats | None = None

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def joined(self) -> NDArray[np.bool_]:
        """Whether each frame but the first goes on from the one before, (T - 1,)."""
        cuts = self.cuts if len(self.cuts) else np.zeros(len(self), bool)
        return ~cuts[1:]

    def part(self, frames: slice) -> Clip:
        """Only these frames."""
        anchors, first = self.anchors, frames.start
        rows = slice(*np.searchsorted(anchors.frame, (first, frames.stop)))
        own = Anchors(
            anchors.frame[rows] - np.int32(first), anchors.face[rows], anchors.barycentric[rows], anchors.place[rows],
            anchors.confidence[rows],
        )  # fmt: skip
        cameras = None if self.cameras is None else self.cameras[frames]
        views = None if self.views is None else self.views[frames]
        return Clip(self.masks[frames], own, self.focal, cameras, self.cuts[frames], views)

    def picked(self, frames: AnyIntegers) -> Clip:
        """Only these frames (N,), ascending, none of which goes on from the one before."""
        number = np.full(len(self), -1, np.int32)
        number[frames] = np.arange(len(frames))
        rows, anchors = number[self.anchors.frame] >= 0, self.anchors
        own = Anchors(
            number[anchors.frame[rows]], anchors.face[rows], anchors.barycentric[rows], anchors.place[rows],
            anchors.confidence[rows],
        )  # fmt: skip
        cameras = None if self.cameras is None else self.cameras[frames]
        views = None if self.views is None else self.views[frames]
        return Clip(self.masks[frames], own, self.focal, cameras, np.arange(len(frames)) > 0, views)

    @property
    def size(self) -> float:
        """The object's size in the picture, pixels: the diagonal of its bounding box, the median over the frames."""
        sizes = []
        for mask in self.masks:
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if len(rows):
                sizes.append(float(np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1)))
        return float(np.median(sizes)) if sizes else 1.0


@dataclass(frozen=True)
class Motion:
    """A character's motion.

    Attributes:
        turns: float64 (T, B, 3, 3), each bone's rotation from its rest, in its own axes.
        shifts: float64 (T, B, 3), by which roots beside the main one move, in their own axes; 0 for all others.
        root: float64 (T, 4, 4), the rigid motion of the whole, in the shape's frame.
    """

    turns: Floats
    shifts: Floats
    root: Floats

    def part(self, frames: slice) -> Motion:
        """Only these frames."""
        return Motion(self.turns[frames], self.shifts[frames], self.root[frames])

    @staticmethod
    def at_rest(frames: int, bones: int) -> Motion:
        """No motion."""
        return Motion(
            np.tile(np.eye(3), (frames, bones, 1, 1)), np.zeros((frames, bones, 3)), np.tile(np.eye(4), (frames, 1, 1))
        )
