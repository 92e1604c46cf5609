"""What every transfer knows, and what it consists of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...base.errors import InputError
from ...base.progress import Progress
from ...scene.objects import BlenderObject, Handle
from ..characters import CharacterSnapshot, ObjectSnapshot
from ..matching import ObjectMatch
from ..options import Options, Remark, ResultWarning


@dataclass(frozen=True)
class JointMap:
    """A map by nearness, the source posed onto the target's joints.

    Attributes:
        map: its file.
        distance: mean distance of the target from the posed source, in diagonals of its bounding box.
    """

    map: Path
    distance: float


@dataclass(frozen=True)
class Transfer:
    """One transfer under way.

    Attributes:
        source: the object, as it is.
        target: the object, or the meshes of a character.
        match: how they are matched; None if the target is a garment, and nothing is carried that needs a match.
        folder: for bulk data.
        options: how to do it.
        is_garment: whether the target lies on the source, so that weights come from the nearest point of the source.
        by_joints: the map by which weights follow the joints of the target's own armature; None if they do not.
        also: other meshes that lie on the target, and get weights and armature with it.
        pieces: the meshes that the source was joined of, if it was.
    """

    source: ObjectSnapshot
    target: CharacterSnapshot
    match: ObjectMatch | None
    folder: Path
    options: Options
    is_garment: bool = False
    by_joints: JointMap | None = None
    also: tuple[Handle, ...] = ()
    pieces: tuple[Handle, ...] = ()

    @property
    def map(self) -> Path:
        """File of the map between source and target; raises ValueError if they are not matched."""
        if self.match is None:
            raise ValueError("Source and target are not matched.")
        return self.match.map

    @property
    def source_file(self) -> Path:
        """File of the source's snapshot."""
        return self.folder / "source.npz"

    @property
    def target_file(self) -> Path:
        """File of the target's snapshot."""
        return self.folder / "target.npz"

    def save_snapshots(self) -> None:
        """Write both snapshots to their files; raises StorageError."""
        self.source.snapshot.save(self.source_file)
        self.target.snapshot.save(self.target_file)


def left_out_warning(handle: Handle, error: InputError) -> ResultWarning:
    """Says that one of the objects on the target gets nothing, and why."""
    return ResultWarning(error.code, f"Left out: “{handle.name}”. {error}")


Write = Callable[[], Sequence[Remark]]
"""Writes what was carried to the target and says what it wrote, and where it is poor."""


@dataclass(frozen=True)
class Carrier:
    """How one thing is carried.

    Attributes:
        check: raises InputError where it can be known beforehand that source, target and options do not allow it.
        carry: reads from the source, runs the worker's jobs, and returns what writes the result. It changes nothing
            in the scene but previews.
    """

    check: Callable[[BlenderObject, BlenderObject, Options], None]
    carry: Callable[[Transfer], Generator[Progress, None, Write]]
