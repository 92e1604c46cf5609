"""The last transfers done again in place: with other point pairs, or with the other answer of the match."""

from __future__ import annotations

from ..scene import last_transfer
from ..scene.mesh import matches
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from .matching import check_different, match
from .options import Options, Remark, Report, Steps
from .recorded_options import restored
from .transferring import transfer


def update(source: BlenderObject, target: BlenderObject, options: Options = Options()) -> Steps:
    """Match again, and do what was last transferred from this source again, with its settings, in place of its results.

    The features are those of before; of the options, only point pairs, ``flip`` and those of the worker count. What
    was made on the target since (other groups, slots, keys, modifiers) stays, and so do the names, the pose and the
    action of an armature that came over. Raises as :func:`transfer`, and InputError ``nothing-transferred``,
    ``mesh-changed`` (the target has other faces now).
    """
    check_different(source, target)
    snapshots.check_writable(target)
    ends = Handle.of(source), Handle.of(target)
    reports: list[Report] = []
    with last_transfer.taken_back(source, target) as record:
        for what, values in record.asked:
            source, target = (end.get() for end in ends)
            reports.append((yield from transfer(source, target, what, restored(values, options))))
    remarks: list[Remark] = []
    for each in reports:
        remarks += [*each.warnings, *each.details]
    return Report.of(
        f"“{ends[1].name}” is up to date with “{ends[0].name}”.",
        remarks,
        {**reports[-1].data, "written": [name for each in reports for name in each.data["written"]]},
    )


def flip(source: BlenderObject, target: BlenderObject, options: Options = Options()) -> Steps:
    """Match with the other answer than that of the last match, and :func:`update` what was transferred, if anything.

    Raises as :func:`match` and :func:`update`.
    """
    other = options.changed(flip=not matches.is_flipped(source, target))
    again = update if last_transfer.record_of(target, source) else match
    return (yield from again(source, target, other))
