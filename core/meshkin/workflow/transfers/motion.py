"""What the source's armature plays, keyed on the target's armature, which may have come over in the same transfer."""

from __future__ import annotations

from collections.abc import Generator

from ...base.errors import InputError
from ...base.progress import Progress, finish
from ...scene.objects import BlenderObject
from ...scene.rig import armature as armatures
from ...scene.rig import binding
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
        source, target = transfer.source.handle.get(), transfer.target.handle.get()
        first, *more = binding.armatures_of(source)
        follower_of = binding.counterparts(source, target)
        pairs = [(first, target)]  # what hinders it is an error, as for the button
        pairs += [(leader, follower_of[leader]) for leader in more if _plays(leader, follower_of.get(leader))]
        remarks: list[Remark] = []
        for leader, follower in pairs:
            report = finish(motion(leader, follower, transfer.options))
            remarks += [f"Motion: {report.title}", *report.details, *report.warnings]
        return remarks

    return write


def _plays(leader: BlenderObject, follower: BlenderObject | None) -> bool:
    """Whether an armature plays something that another one, with bones of the same names, can play."""
    try:
        return follower not in (None, leader) and bool(motions.played(leader) and motions.bone_pairs(leader, follower))
    except InputError:
        return False


MOTION = Carrier(_check, _carry)
