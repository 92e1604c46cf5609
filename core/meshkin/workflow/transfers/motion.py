"""What the source's armature plays, keyed on the target's armature, which may have come over in the same transfer."""

from __future__ import annotations

from collections.abc import Generator

from ...base.progress import Progress, finish
from ...scene.objects import BlenderObject
from ...scene.rig import armature as armatures
from ...scene.rig import motion as motions
from ..options import Options, Remark
from ..rigs import motion
from .context import Carrier, Transfer, Write


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    motions.played(armatures.check(source))


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    """There is nothing to compute: what is keyed depends on the armature that poses the target in the end."""
    yield Progress("Keying the motion", 0)

    def write() -> list[Remark]:
        report = finish(motion(transfer.source.handle.get(), transfer.target.handle.get(), transfer.options))
        return [f"Motion: {report.title}", *report.details, *report.warnings]

    return write


MOTION = Carrier(_check, _carry)
