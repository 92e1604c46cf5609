"""What a job works on: an object, or the meshes of a character, as they were when the work began."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.progress import Progress
from ..data.snapshot import Snapshot
from ..scene.mesh import rest, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle

NAMED_PIECES = 3
"""Pieces of a character that are named in a sentence; chosen: a sentence can still be read."""


@dataclass(frozen=True)
class ObjectSnapshot:
    """An object, and what it was when the work began.

    Attributes:
        handle: of the object.
        snapshot: of the object as it was shown.
        shape: the same at rest, which features and matches are of.
    """

    handle: Handle
    snapshot: Snapshot
    shape: Snapshot

    @property
    def is_at_rest(self) -> bool:
        """Whether :attr:`shape` is another pose than the one shown."""
        return self.shape is not self.snapshot

    @staticmethod
    def take(handle: Handle, as_shown: bool = False) -> ObjectSnapshot:
        """The object as it is now; raises InputError for a mesh without a surface.

        Args:
            handle: of the object.
            as_shown: whether features are to be of the pose that is shown.
        """
        obj = handle.get()
        snapshot = surfaces.take_checked(obj)
        return ObjectSnapshot(handle, snapshot, snapshot if as_shown else rest.take_at_rest(obj, snapshot).check())


@dataclass(frozen=True)
class CharacterSnapshot:
    """The meshes of a character as one surface, or one object alone.

    Attributes:
        pieces: its meshes, the one that gives it its place and name first.
    """

    pieces: tuple[ObjectSnapshot, ...]

    @staticmethod
    def take(handles: Sequence[Handle], as_shown: bool = False) -> CharacterSnapshot:
        """The meshes as they are now; for the rest :meth:`ObjectSnapshot.take`."""
        return CharacterSnapshot(tuple(ObjectSnapshot.take(handle, as_shown) for handle in handles))

    @property
    def handle(self) -> Handle:
        """The handle of the first mesh."""
        return self.pieces[0].handle

    @property
    def handles(self) -> tuple[Handle, ...]:
        """The handles of all meshes."""
        return tuple(piece.handle for piece in self.pieces)

    @property
    def name(self) -> str:
        """The names of its meshes, in a sentence."""
        return listed([handle.name for handle in self.handles])

    @cached_property
    def snapshot(self) -> Snapshot:
        """All of its meshes as they were shown, joined."""
        return Snapshot.joined([piece.snapshot for piece in self.pieces], self.name)

    @cached_property
    def shape(self) -> Snapshot:
        """The same at rest; triangles and vertices are those of :attr:`snapshot`."""
        return Snapshot.joined([piece.shape for piece in self.pieces], self.name)

    def objects(self) -> list[BlenderObject]:
        """Its meshes in the scene; raises InputError ``object-gone``."""
        return [handle.get() for handle in self.handles]

    def rows(self) -> list[NDArray[np.int32]]:
        """For each mesh, the vertex of :attr:`snapshot` for each vertex of its own, int32 (W,)."""
        return split(self.snapshot.original, [len(piece.snapshot.original) for piece in self.pieces])

    def check_unchanged(self) -> None:
        """Raise InputError ``mesh-changed`` when one of its meshes is not any more what it was."""
        for piece in self.pieces:
            snapshots.check_unchanged(piece.handle.get(), piece.snapshot)


def split(values: NDArray[Any], counts: Sequence[int]) -> list[NDArray[Any]]:
    """Values of several meshes, end to end, as those of each; ``counts`` are how many each has."""
    return list(np.split(values, np.cumsum(counts)[:-1]))


def read(handles: Sequence[Handle], as_shown: bool = False) -> Generator[Progress, None, CharacterSnapshot]:
    """The meshes as they are now; for the rest :meth:`ObjectSnapshot.take`."""
    yield Progress("Reading the mesh", 0)
    return CharacterSnapshot.take(handles, as_shown)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: “a, b and c”, or “a, b and 4 more”."""
    shown = list(names if len(names) <= NAMED_PIECES else [*names[: NAMED_PIECES - 1], f"{len(names) - 2} more"])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
