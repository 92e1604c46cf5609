"""The last transfers done again in place: with other point pairs, or with the other answer of the match."""

from __future__ import annotations

from ..scene import characters, last_transfer
from ..scene.characters import Picked
from ..scene.mesh import matches
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import Handle
from .characters import listed
from .matching import check_different, match
from .options import Options, Remark, Report, Steps
from .recorded_options import restored
from .transferring import transfer


def update(source: Picked, target: Picked, options: Options = Options()) -> Steps:
    """Match again, and do what was last transferred from this source again, with its settings, in place of its results.

    The features are those of before; of the options, only point pairs, ``flip`` and those of the worker count. What
    was made on the target since (other groups, slots, keys, modifiers) stays, and so do the names, the pose and the
    action of an armature that came over. Raises as :func:`transfer`, and InputError ``nothing-transferred``,
    ``mesh-changed`` (the target has other faces now).
    """
    pair = characters.pair(source, target)
    check_different(pair.sources, pair.targets)
    for obj in pair.targets:
        snapshots.check_writable(obj)
    first = next((obj for obj in pair.sources if last_transfer.record_of(pair.targets[0], obj)), pair.sources[0])
    reports: list[Report] = []
    with last_transfer.taken_back(first, pair.targets[0]) as record:
        gave = [Handle.of(obj) for obj in pair.sources if matches.identity(obj) in record.sources]
        got = [Handle.of(obj) for obj in last_transfer.with_same_record(pair.targets[0])]
        for what, values in record.asked:
            sources, targets = ([handle.get() for handle in end] for end in (gave, got))
            reports.append((yield from transfer(sources, targets, what, restored(values, options))))
    remarks: list[Remark] = []
    for each in reports:
        remarks += [*each.warnings, *each.details]
    return Report.of(
        f"“{listed([each.name for each in got])}” is up to date with “{listed([each.name for each in gave])}”.",
        remarks,
        {**reports[-1].data, "written": [name for each in reports for name in each.data["written"]]},
    )


def flip(source: Picked, target: Picked, options: Options = Options()) -> Steps:
    """Match with the other answer than that of the last match, and :func:`update` what was transferred, if anything.

    Raises as :func:`match` and :func:`update`.
    """
    pair = characters.pair(source, target)
    other = options.changed(flip=not matches.is_flipped(pair.sources[0], pair.targets[0]))
    again = update if any(last_transfer.record_of(pair.targets[0], obj) for obj in pair.sources) else match
    return (yield from again(source, target, other))
