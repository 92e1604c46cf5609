"""Transfers: what is carried from one object to another through their match."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError, MeshKinError, OptionError, StorageError
from ..base.progress import Progress, in_step
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..scene import characters, last_transfer
from ..scene.characters import Picked
from ..scene.display import previews, viewport
from ..scene.mesh import pieces, rest, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..transfer.attributes.options import TRANSFERS
from ..worker import client
from ..worker.requests.matching import IsCopy
from ..worker.requests.weights import IsGarment
from .characters import CharacterSnapshot, ObjectSnapshot, listed
from .describing import EarlyColors
from .doubts import confidence_sentence, match_data, match_remarks, unlike_warnings
from .files import work_folder
from .matching import ObjectMatch, check_different, find_match
from .options import Options, Remark, Report, ResultWarning, Steps
from .recorded_options import recordable
from .steps import match_costs, transfer_costs, transfer_of
from .transfers import armature, hair, joints, key_points, motion, parts, texture, values, weights
from .transfers.context import Carrier, JointMap, Transfer, Write, left_out_warning
from .whole_job import whole_job

CARRIERS: dict[str, Carrier] = {
    "texture": texture.TEXTURE,
    "weights": weights.WEIGHTS,
    "attributes": values.ATTRIBUTES,
    "materials": values.MATERIALS,
    "uvs": values.UVS,
    "shape_keys": values.SHAPE_KEYS,
    "detail": values.DETAIL,
    "parts": parts.PART_LABELS,
    "key_points": key_points.KEY_POINTS,
    "hair": hair.HAIR,
    "armature": armature.ARMATURE,
    "motion": motion.MOTION,
}
"""How each of :data:`meshkin.workflow.TRANSFERS` is carried, in the order in which they are written."""
DEFAULT_WHAT = ("texture", "weights", "attributes")
"""What is carried if nothing is named, as far as the source has it."""
_ABSENT = ("no-texture", "no-groups", "no-weights", "no-attributes")
"""Codes that say that a source has nothing of :data:`DEFAULT_WHAT`, which is no reason for a warning."""


def transfer(source: Picked, target: Picked, what: Sequence[str] | None = None, options: Options = Options()) -> Steps:
    """Carry texture, weights or attributes from source to target through their match, which is made first.

    Source and target are characters: a mesh, armature, empty or collection stands for all meshes that belong to it
    (:func:`meshkin.scene.characters.members`), a list for its meshes alone. All meshes of the target are written to. A
    source's mesh that was picked, with those that continue its surface, is the source alone if it is of the target's
    character, as a body and its shirt are, if the target lies on it or is a copy of it, if it is matched through a set,
    or if further meshes are named that lie on the target (``options.rig.also``).

    What cannot be carried is left out, with a warning; None for ``what`` means :data:`DEFAULT_WHAT`.
    ``data["written"]`` has what was carried, ``data["left_out"]`` the error's code of everything else.
    Raises as :func:`match`, and OptionError; if nothing at all can be carried, the first InputError of ``no-texture``,
    ``no-uvs``, ``no-groups``, ``no-attributes``, ``no-armature`` ...: before anything is computed where that can be
    known.
    """
    chosen = _chosen(DEFAULT_WHAT if what is None else what)
    pair = characters.pair(source, target, options.rig.also)
    for obj in pair.targets:
        last_transfer.check_shows_result(obj)
    targets, left_out = _usable(pair.targets)
    sources = yield from _taking_part(pair, targets, chosen, options)
    check_different(sources, targets)
    if len(sources) == 1:
        report = yield from _transfer(sources[0], targets, chosen, what is None, options)
    else:
        with pieces.joined([handle.get() for handle in sources]) as whole:
            report = yield from _transfer(Handle.of(whole), targets, chosen, what is None, options, sources)
    return replace(report, warnings=[*report.warnings, *left_out])


def _taking_part(
    pair: characters.Pair, targets: tuple[Handle, ...], chosen: Sequence[str], options: Options
) -> Generator[Progress, None, tuple[Handle, ...]]:
    """The meshes that are the source: of its character all, or the one that was picked and what continues it."""
    everything, alone = (tuple(Handle.of(obj) for obj in meshes) for meshes in (pair.sources, pair.alone))
    if not alone:
        return everything
    if options.match.through is not None:
        return alone[:1]
    if options.rig.also:  # each of these finds its like among the source's other meshes
        return alone
    if len(targets) == 1 and (yield from _is_copy(alone[0], targets[0])):
        return alone[:1]
    if not {"weights", "armature"}.isdisjoint(chosen):
        with work_folder() as folder:
            is_garment = yield from _is_garment(
                CharacterSnapshot.take(alone).snapshot, CharacterSnapshot.take(targets).snapshot, options, folder
            )
        if is_garment:
            return alone
    return everything


def _is_copy(source: Handle, target: Handle) -> Generator[Progress, None, bool]:
    """Whether the target is a copy of the source alone."""
    with work_folder() as folder:
        files = [
            surfaces.take_checked(handle.get()).save(folder / f"{name}-alone.npz")
            for name, handle in (("source", source), ("target", target))
        ]
        return (yield from client.shared().run(IsCopy(*files))).same


def _transfer(
    source: Handle,
    targets: tuple[Handle, ...],
    chosen: Sequence[str],
    is_default: bool,
    options: Options,
    joined_of: tuple[Handle, ...] = (),
) -> Steps:
    """Carry what was chosen, from a source that may have been joined of pieces; for the rest :func:`transfer`."""
    asked = recordable(options)
    failures: dict[str, MeshKinError] = {}
    possible = _checked(chosen, source.get(), [handle.get() for handle in targets], options, failures)
    start = ObjectSnapshot.take(source)  # raises InputError for a mesh without a surface
    excluded = [handle.get() for handle in (source, *joined_of, *targets)]
    also, left_out = _worn([obj for obj in options.rig.also if obj not in excluded])
    with work_folder() as folder:
        place = CharacterSnapshot.take(targets)
        is_garment = "weights" in possible and (yield from _is_garment(start.snapshot, place.snapshot, options, folder))
        by_joints = None
        if not is_garment:
            by_joints = yield from joints.find_map(start, place, possible, options, folder)
        needs_match = not set(possible) <= _without_match(is_garment, by_joints is not None)
        worn = is_garment, by_joints, also
        order = _Order(source, targets, chosen, possible, is_default, needs_match, *worn, joined_of, asked)
        costs = match_costs(_matched_as(start, joined_of)[0], targets[0], options) if needs_match else {}
        job = _match_and_carry(order, failures, left_out, options, folder)
        return (yield from whole_job(job, costs | transfer_costs(possible, options)))


def _without_match(is_garment: bool, follows_joints: bool) -> set[str]:
    """What is carried without a match."""
    if is_garment:
        return {"weights", "armature", "motion"}
    return {"weights", "motion"} if follows_joints else {"motion"}


@dataclass(frozen=True)
class _Order:
    """What is to be done, once everything has been checked.

    Attributes:
        source: from which object, which may have been joined.
        targets: to which meshes.
        chosen: what was asked for.
        possible: what of that passed its check.
        is_default: whether nothing was named.
        needs_match: whether anything of it comes through a match.
        is_garment, by_joints, also, pieces: as of :class:`Transfer`.
        asked: the options, as they are recorded.
    """

    source: Handle
    targets: tuple[Handle, ...]
    chosen: Sequence[str]
    possible: Sequence[str]
    is_default: bool
    needs_match: bool
    is_garment: bool
    by_joints: JointMap | None
    also: tuple[Handle, ...]
    pieces: tuple[Handle, ...]
    asked: dict[str, Any]


def _match_and_carry(
    order: _Order, failures: dict[str, MeshKinError], left_out: list[Remark], options: Options, folder: Path
) -> Steps:
    """Match source and target if that is needed, carry what is possible, and write it.

    While features are shown as colors, new ones are shown at once.
    """
    with EarlyColors(options, folder) as early:
        match: ObjectMatch | None = None
        start = ObjectSnapshot.take(order.source)
        if order.needs_match:
            shown = early if viewport.is_shown() else None
            match = yield from find_match(_matched_as(start, order.pieces), order.targets, options, folder, shown)
            target = match.target.of
        else:
            target = CharacterSnapshot.take(order.targets)
        worn = order.is_garment, order.by_joints, order.also
        context = Transfer(start, target, match, folder, options, *worn, order.pieces)
        context.save_snapshots()
        writes = yield from _carry_all(context, order.possible, failures)
        order.source.get()
        for handle in order.targets:
            snapshots.check_writable(handle.get())
        target.check_unchanged()
        sources = [handle.get() for handle in order.pieces or (order.source,)]
        with last_transfer.recorded(sources, target.objects(), list(writes), order.asked):
            remarks = _write_all(writes, failures) + _not_carried(failures, order.is_default) + left_out
        early.keep()
    for piece in target.pieces:
        rest.keep_shape(piece.handle.get(), piece.shape)
    remarks += values.unknown_names(order.source.get(), order.possible, options)
    remarks += _shared_meshes(order.targets)
    written = [name for name in order.chosen if name not in failures]
    data: dict[str, Any] = {"map": ""}
    if match:
        maps = Match.load(match.map)
        guessed = {"armature"} if order.by_joints else {"weights", "armature"}
        unlike = unlike_warnings(maps) if guessed & set(written) else []
        # What is doubtful about the match explains what follows.
        remarks = [*match_remarks(maps), *unlike, *remarks, confidence_sentence(maps)]
        data |= match_data(match.map, maps)
        if not order.pieces or order.source not in match.source.of.handles:  # what was joined is gone
            match.remember()
    name = listed([handle.name for handle in order.pieces or (order.source,)])
    return Report.of(
        f"“{name}” gave “{target.name}” its {_listed(written)}.",
        remarks,
        {**data, "written": written, "left_out": {name: error.code for name, error in failures.items()}},
    )


def _matched_as(source: ObjectSnapshot, joined_of: tuple[Handle, ...]) -> tuple[Handle, ...]:
    """What is matched for a source: the meshes that it was joined of, unless modifiers gave them other triangles."""
    if not joined_of:
        return (source.handle,)
    faces = CharacterSnapshot.take(joined_of).shape.faces
    return joined_of if np.array_equal(faces, source.shape.faces) else (source.handle,)


def _shared_meshes(targets: Sequence[Handle]) -> list[Remark]:
    """Says which other objects show what was written, because they use the same mesh."""
    known = {handle.name for handle in targets}
    sharing = [name for handle in targets for name in handle.others_with_same_mesh() if name not in known]
    names = ", ".join(f"“{name}”" for name in dict.fromkeys(sharing))
    return [f"Its mesh is also that of {names}, which show the same."] if sharing else []


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence: “a, b and c”."""
    words = [name.replace("_", " ") for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _chosen(what: Sequence[str]) -> list[str]:
    """What is to be carried, in order; raises InputError ``transfer-unknown``."""
    unknown = [name for name in what if name not in TRANSFERS]
    if unknown or not what:
        raise InputError(
            "transfer-unknown", f"“{', '.join(unknown)}” cannot be transferred.", f"Choose from {', '.join(TRANSFERS)}."
        )
    return [name for name in TRANSFERS if name in what]


def _is_garment(source: Snapshot, target: Snapshot, options: Options, folder: Path) -> Generator[Progress, None, bool]:
    """Whether weights are to come from the nearest point: it is chosen so, or the target lies on the source."""
    if options.weights.nearness != "auto" or options.weights.method in ("joints", "features"):
        return options.weights.nearness == "always"
    files = [shape.save(folder / f"{name}-place.npz") for name, shape in (("source", source), ("target", target))]
    return (yield from client.shared().run(IsGarment(*files))).worn


def _checked(
    chosen: Sequence[str],
    source: BlenderObject,
    targets: Sequence[BlenderObject],
    options: Options,
    failures: dict[str, MeshKinError],
) -> list[str]:
    """What passes its check, which is told of all; what does not is added to ``failures``.

    Raises the first failure if nothing passes, and OptionError.
    """
    for name in chosen:
        try:
            for target in targets:
                CARRIERS[name].check(source, target, options)
            if name == "weights":
                joints.check(source, targets, options)  # one of the target's meshes may have them for all
        except OptionError:
            raise
        except InputError as error:
            failures[name] = error
    return _left(chosen, failures)


def _usable(targets: Sequence[BlenderObject]) -> tuple[tuple[Handle, ...], list[ResultWarning]]:
    """Those of the target's meshes that have a surface and can be written to; warnings about the others.

    Raises the error about the first if there are none.
    """
    usable, errors = _checked_meshes(targets)
    if not usable:
        raise next(iter(errors.values()))
    return usable, [left_out_warning(handle, error) for handle, error in errors.items()]


def _worn(also: Sequence[BlenderObject]) -> tuple[tuple[Handle, ...], list[Remark]]:
    """The same of what lies on the target, of which there may be nothing."""
    usable, errors = _checked_meshes(also)
    return usable, [left_out_warning(handle, error) for handle, error in errors.items()]


def _checked_meshes(objects: Sequence[BlenderObject]) -> tuple[tuple[Handle, ...], dict[Handle, InputError]]:
    """Those of the objects that have a surface and can be written to, and why the others cannot."""
    usable: list[Handle] = []
    errors: dict[Handle, InputError] = {}
    for obj in objects:
        try:
            snapshots.check_writable(obj)
            surfaces.check_own(obj, surfaces.take_checked(obj))
            usable.append(Handle.of(obj))
        except InputError as error:
            errors[Handle.of(obj)] = error
    return tuple(usable), errors


def _left(names: Sequence[str], failures: Mapping[str, MeshKinError]) -> list[str]:
    """The names that did not fail; raises the first failure if all did."""
    left = [name for name in names if name not in failures]
    if not left:
        raise next(iter(failures.values()))
    return left


def _carry_all(
    context: Transfer, possible: Sequence[str], failures: dict[str, MeshKinError]
) -> Generator[Progress, None, dict[str, Write]]:
    """Carry everything; returns what writes it. What fails is added to ``failures``.

    Previews are taken away, also when a step is cancelled. Raises the first failure if all fail.
    """
    writes = {}
    try:
        for name in possible:
            try:
                writes[name] = yield from in_step(transfer_of(name), CARRIERS[name].carry(context))
            except (InputError, StorageError) as error:
                failures[name] = error
    finally:
        previews.remove()
    _left(possible, failures)
    return writes


def _write_all(writes: Mapping[str, Write], failures: dict[str, MeshKinError]) -> list[Remark]:
    """Write everything to the target; returns what there is to say about it.

    One that cannot be written is added to ``failures`` and does not keep the others from being written. Raises the
    first failure if none can.
    """
    remarks: list[Remark] = []
    for name, write in writes.items():
        try:
            remarks += write()
        except (InputError, StorageError) as error:
            failures[name] = error
    _left(list(writes), failures)
    return remarks


def _not_carried(failures: Mapping[str, MeshKinError], is_default: bool) -> list[Remark]:
    """Says what was not carried, and why: a warning, unless nobody has asked for what the source does not have."""
    remarks: list[Remark] = []
    for name, error in failures.items():
        sentence = f"Not carried: {name.replace('_', ' ')}. {error}"
        is_expected = is_default and error.code in _ABSENT
        remarks.append(sentence if is_expected else ResultWarning(error.code, sentence))
    return remarks
