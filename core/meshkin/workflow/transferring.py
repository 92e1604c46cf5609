"""Transfers: what is carried from one object to another through their match."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..base.errors import InputError, MeshKinError, OptionError, StorageError
from ..base.progress import Progress, in_step, of_job
from ..data.surface_map import Match
from ..scene import last_transfer
from ..scene.display import viewport
from ..scene.mesh import pairs as point_pairs
from ..scene.mesh import pieces, surfaces
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import binding
from ..worker import client
from ..worker.requests.matching import IsCopy
from ..worker.requests.weights import IsGarment
from .describing import EarlyColors, ObjectSnapshot
from .doubts import confidence_sentence, match_data, match_remarks
from .files import work_folder
from .matching import ObjectMatch, check_different, find_match
from .options import TRANSFERS, Options, Remark, Report, ResultWarning, Steps
from .recorded_options import recordable
from .steps import match_costs, transfer_costs, transfer_of
from .transfers import armature, hair, motion, texture, values, weights
from .transfers.context import Carrier, Transfer, Write, left_out_warning

CARRIERS: dict[str, Carrier] = {
    "texture": texture.TEXTURE,
    "weights": weights.WEIGHTS,
    "attributes": values.ATTRIBUTES,
    "materials": values.MATERIALS,
    "uvs": values.UVS,
    "shape_keys": values.SHAPE_KEYS,
    "detail": values.DETAIL,
    "parts": values.PART_LABELS,
    "hair": hair.HAIR,
    "armature": armature.ARMATURE,
    "motion": motion.MOTION,
}
"""How each of :data:`meshkin.workflow.options.TRANSFERS` is carried, in the order in which they are written."""
DEFAULT_WHAT = ("texture", "weights", "attributes")
"""What is carried if nothing is named, as far as the source has it."""
_ABSENT = ("no-texture", "no-groups", "no-weights", "no-attributes")
"""Codes that say that a source has nothing of :data:`DEFAULT_WHAT`, which is no reason for a warning."""


def transfer(
    source: BlenderObject, target: BlenderObject, what: Sequence[str] | None = None, options: Options = Options()
) -> Steps:
    """Carry texture, weights or attributes from source to target through their match, which is made first.

    What cannot be carried is left out, with a warning; None for ``what`` means :data:`DEFAULT_WHAT`. If the source is a
    piece of a character, as a body is whose head is a mesh of its own, all of its pieces are one source, unless the
    target is a copy of that piece or such a piece itself.
    ``data["written"]`` has what was carried, ``data["left_out"]`` the error's code of everything else.
    Raises as :func:`match`, and OptionError; if nothing at all can be carried, the first InputError of ``no-texture``,
    ``no-uvs``, ``no-groups``, ``no-attributes``, ``no-armature`` ...: before anything is computed where that can be
    known.
    """
    chosen = _chosen(DEFAULT_WHAT if what is None else what)
    snapshots.check_writable(target)
    check_different(source, target)
    last_transfer.check_shows_result(target)
    others = _other_pieces(source, target, chosen, options)
    if not others or (yield from _is_copy(Handle.of(source), Handle.of(target))):
        return (yield from _transfer(source, target, chosen, what is None, options))
    with pieces.joined(source, others) as whole:
        handles = tuple(Handle.of(piece) for piece in (source, *others))
        return (yield from _transfer(whole, target, chosen, what is None, options, handles))


def _other_pieces(
    source: BlenderObject, target: BlenderObject, chosen: Sequence[str], options: Options
) -> list[BlenderObject]:
    """The other pieces of the source's character, if all of them are to be one source.

    A piece stays alone if the target is one, too, if point pairs or a reference say how to match it, and if its hair is
    wanted, which grows on it alone.
    """
    guide = options.match
    if (
        "hair" in chosen
        or guide.through is not None
        or guide.pairs
        or guide.flip
        or point_pairs.between(source, target)
    ):
        return []
    others = [obj for obj in binding.meshes_posed_with(source) if obj not in (target, *options.rig.also)]
    found = pieces.continuing(source, others) if others else []
    if found and pieces.continuing(target, [obj for obj in binding.meshes_posed_with(target) if obj != source]):
        return []
    return found


def _is_copy(source: Handle, target: Handle) -> Generator[Progress, None, bool]:
    """Whether the target is a copy of the source alone."""
    with work_folder() as folder:
        files = [
            surfaces.take_checked(handle.get()).save(folder / f"{name}-alone.npz")
            for name, handle in (("source", source), ("target", target))
        ]
        return (yield from client.shared().run(IsCopy(*files))).same


def _transfer(
    source: BlenderObject,
    target: BlenderObject,
    chosen: Sequence[str],
    is_default: bool,
    options: Options,
    joined_of: tuple[Handle, ...] = (),
) -> Steps:
    """Carry what was chosen, from a source that may have been joined of pieces; for the rest :func:`transfer`."""
    ends, asked = (Handle.of(source), Handle.of(target)), recordable(options)
    failures: dict[str, MeshKinError] = {}
    possible = _checked(chosen, source, target, options, failures)
    ObjectSnapshot.take(ends[0])  # raises InputError for a mesh without a surface
    surfaces.check_own(target, ObjectSnapshot.take(ends[1]).snapshot)
    also, left_out = _usable([obj for obj in options.rig.also if obj not in (source, target)])
    with work_folder() as folder:
        is_garment = "weights" in possible and (yield from _is_garment(*ends, options, folder))
        needs_match = not set(possible) <= ({"weights", "armature", "motion"} if is_garment else {"motion"})
        order = _Order(*ends, chosen, possible, is_default, needs_match, is_garment, also, joined_of, asked)
        costs = match_costs(*ends, options) if needs_match else {}
        job = _match_and_carry(order, failures, left_out, options, folder)
        return (yield from of_job(job, costs | transfer_costs(possible, options)))


@dataclass(frozen=True)
class _Order:
    """What is to be done, once everything has been checked.

    Attributes:
        source, target: between which objects.
        chosen: what was asked for.
        possible: what of that passed its check.
        is_default: whether nothing was named.
        needs_match: whether anything of it comes through a match.
        is_garment, also, pieces: as of :class:`Transfer`.
        asked: the options, as they are recorded.
    """

    source: Handle
    target: Handle
    chosen: Sequence[str]
    possible: Sequence[str]
    is_default: bool
    needs_match: bool
    is_garment: bool
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
        if order.needs_match:
            shown = early if viewport.is_shown() else None
            match = yield from find_match(order.source, order.target, options, folder, shown)
            ends: tuple[ObjectSnapshot, ObjectSnapshot] = match.source, match.target
        else:
            ends = ObjectSnapshot.take(order.source), ObjectSnapshot.take(order.target)
        context = Transfer(*ends, match, folder, options, order.is_garment, order.also, order.pieces)
        context.save_snapshots()
        writes = yield from _carry_all(context, order.possible, failures)
        order.source.get()
        snapshots.check_writable(order.target.get())
        snapshots.check_unchanged(order.target.get(), context.target.snapshot)
        first = order.pieces[0] if order.pieces else order.source
        with last_transfer.recorded(first.get(), order.target.get(), list(writes), order.asked):
            remarks = _write_all(writes, failures) + _not_carried(failures, order.is_default) + left_out
        early.keep()
    snapshots.keep_shape(order.target.get(), context.target.snapshot)
    remarks += values.unknown_names(order.source.get(), order.possible, options)
    if sharing := order.target.others_with_same_mesh():
        remarks.append(f"Its mesh is also that of {', '.join(f'“{name}”' for name in sharing)}, which show the same.")
    data: dict[str, Any] = {"map": ""}
    if match:
        maps = Match.load(match.map)
        remarks += [confidence_sentence(maps), *match_remarks(maps)]
        data |= match_data(match.map, maps)
        if not order.pieces:
            match.remember()
    written = [name for name in order.chosen if name not in failures]
    return Report.of(
        f"“{order.source.name}” gave “{order.target.name}” its {_listed(written)}.",
        remarks,
        {**data, "written": written, "left_out": {name: error.code for name, error in failures.items()}},
    )


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


def _is_garment(source: Handle, target: Handle, options: Options, folder: Path) -> Generator[Progress, None, bool]:
    """Whether weights are to come from the nearest point: it is chosen so, or the target lies on the source."""
    if options.weights.nearness != "auto" or options.weights.method == "features":
        return options.weights.nearness == "always"
    files = [
        surfaces.take_checked(handle.get()).save(folder / f"{name}-place.npz")
        for name, handle in (("source", source), ("target", target))
    ]
    return (yield from client.shared().run(IsGarment(*files))).worn


def _checked(
    chosen: Sequence[str],
    source: BlenderObject,
    target: BlenderObject,
    options: Options,
    failures: dict[str, MeshKinError],
) -> list[str]:
    """What passes its check, which is told of all; what does not is added to ``failures``.

    Raises the first failure if nothing passes, and OptionError.
    """
    for name in chosen:
        try:
            CARRIERS[name].check(source, target, options)
        except OptionError:
            raise
        except InputError as error:
            failures[name] = error
    return _left(chosen, failures)


def _usable(also: Sequence[BlenderObject]) -> tuple[tuple[Handle, ...], list[Remark]]:
    """Those of the objects on the target that have a surface and can be written to; warnings about the others."""
    usable: list[Handle] = []
    remarks: list[Remark] = []
    for obj in also:
        try:
            snapshots.check_writable(obj)
            surfaces.check_own(obj, surfaces.take_checked(obj))
            usable.append(Handle.of(obj))
        except InputError as error:
            remarks.append(left_out_warning(Handle.of(obj), error))
    return tuple(usable), remarks


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
        context.remove_previews()
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
