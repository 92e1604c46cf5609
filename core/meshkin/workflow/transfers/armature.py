"""A copy of the source's armature, fitted into the target."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import rest, shape_keys
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject, Handle
from ...scene.rig import armature as armatures
from ...scene.rig import binding, constraints, copies
from ...worker import client
from ...worker.requests.rig import FitBones, FittedBoneArrays
from ..options import Options, Remark, ResultWarning
from .context import Carrier, Transfer, Write, left_out_warning
from .skeletons import BONE_WEIGHTS, save_bones

SMALL_FACTOR = 0.1
"""Factors below this are told by two digits, others by two decimals; chosen."""


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    armatures.check(source)


@dataclass(frozen=True)
class _Fitted:
    """An armature of the source, and where the bones of its copy lie.

    Attributes:
        armature: of the source.
        skeleton: its bones.
        arrays: the copy's bones, in the target's frame.
        scale: how many times larger the target is.
        whole: whether no bone was fitted.
        constrained: bones that constraints and drivers move from rest.
    """

    armature: Handle
    skeleton: armatures.Skeleton
    arrays: FittedBoneArrays
    scale: float
    whole: bool
    constrained: list[str]


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    """Fit copies of the source's armatures; a garment is posed by the source's own."""
    handles = [Handle.of(armature) for armature in armatures.usable(transfer.source.handle.get())]
    if transfer.is_garment:
        return lambda: _attach(transfer, [handle.get() for handle in handles], handles)
    unposed = _unposed_target(transfer)
    fitted: list[_Fitted] = []
    for handle in handles:
        fitted.append((yield from _fit(transfer, handle, unposed)))

    def write() -> list[Remark]:
        made = _make_copies(transfer, fitted, unposed.location)
        remarks = [remark for each in fitted for remark in _remarks(each)]
        remarks += [f"“{copy.name}” takes the place of the one that came over before." for copy in made.replaced]
        copies_made = list(made.copy_of.values())
        for target in transfer.target.objects():
            blocks = dict.fromkeys(binding.armatures_of(target), copies_made[0]) | made.copy_of
            shape_keys.redirect_drivers(target, {**blocks, **{one.data: other.data for one, other in blocks.items()}})
        return remarks + _attach(transfer, copies_made, handles)

    return write


def _fit(transfer: Transfer, handle: Handle, unposed: Snapshot) -> Generator[Progress, None, _Fitted]:
    """Fit one armature of the source into the target, of which ``unposed`` is the shape that no armature poses."""
    armature = handle.get()
    constrained = armatures.bones_moved_by_constraints(armature)
    skeleton, shape_file = _read_skeleton(transfer, armature, bool(constrained))
    answer = yield from client.shared().run(
        FitBones(
            source=shape_file,
            target=unposed.save(transfer.folder / "target-unposed.npz"),
            map=transfer.map,
            bones=save_bones(transfer.source, skeleton, transfer.folder),
            weights=transfer.folder / BONE_WEIGHTS,
            output=transfer.folder / "joints.npz",
        )
    )
    arrays = FittedBoneArrays.load(answer.arrays, B=len(skeleton.names))
    return _Fitted(handle, skeleton, arrays, answer.scale, answer.whole, constrained)


@dataclass(frozen=True)
class _Made:
    """The copies: that of each armature, and those that took the place of one that came over before."""

    copy_of: dict[BlenderObject, BlenderObject]
    replaced: list[BlenderObject]


def _make_copies(transfer: Transfer, fitted: Sequence[_Fitted], place: NDArray[np.float64]) -> _Made:
    """Copy the source's armatures to the target at a place, their bones where they were fitted."""
    target = transfer.target.handle.get()
    shift = (place - transfer.source.snapshot.location).tolist()
    names = {each.armature.get(): f"{each.armature.name} on {target.name}" for each in fitted}
    copy_of = {armature: copies.copy_to(armature, target, shift, name) for armature, name in names.items()}
    before = {copy: constraints.rest_state(armature) for armature, copy in copy_of.items()}
    for copy, each in zip(copy_of.values(), fitted, strict=True):
        heads, tails = each.arrays.heads + place, each.arrays.tails + place
        armatures.move_bones(copy, each.skeleton.names, heads, tails, each.arrays.axes, each.scale)
    copies.connect(copy_of)
    constraints.refit(before, dict(zip(before, (each.scale for each in fitted), strict=True)))
    for copy in before:
        armatures.rename_bones(copy, transfer.options.weights.new_names.items())
    return _Made(
        copy_of, [copy for copy, name in zip(before, names.values(), strict=True) if copies.take_place(copy, name)]
    )


def _remarks(each: _Fitted) -> list[Remark]:
    """What there is to say about a fitted armature."""
    names, arrays = each.skeleton.names, each.arrays
    remarks: list[Remark] = [
        f"Armature: {len(names)} bones of “{each.armature.name}”, {_factor(each.scale)} times as large."
    ]
    if each.constrained:
        listed = ", ".join(each.constrained)
        remarks.append(f"Constraints and drivers move these bones from rest, as on the source: {listed}.")
    if (moved := arrays.moved & ~arrays.copied).any():
        remarks.append(f"Brought back into the body: {_names(names, moved)}.")
    return remarks + _warnings(each.skeleton, arrays, each.whole)


def _factor(scale: float) -> str:
    """A factor in a sentence, of two decimals, or if it is small of two digits."""
    return f"{scale:.2f}" if scale >= SMALL_FACTOR else f"{scale:.2g}"


def _unposed_target(transfer: Transfer) -> Snapshot:
    """The target as no armature poses it: the new one takes the place of the one that does. A mesh that has other
    vertices then stays as it is."""
    pieces = []
    for piece in transfer.target.pieces:
        try:
            pieces.append(rest.unposed(piece.handle.get(), piece.snapshot))
        except InputError:
            pieces.append(piece.snapshot)
    return Snapshot.joined(pieces, transfer.target.name)


def _read_skeleton(transfer: Transfer, armature: BlenderObject, constrained: bool) -> tuple[armatures.Skeleton, Path]:
    """The armature's bones in the pose that the source shows, and the file of the source's snapshot in that pose.

    If constraints and drivers will pose the copy as they pose the source, both are at rest: what constraints do must
    not become part of the copy's rest position. A source that has other vertices at rest stays as it is.
    """
    snapshot = transfer.source.snapshot
    if constrained:
        with armatures.at_rest(armature):
            rest = snapshots.take(transfer.source.handle.get())
            if len(rest.vertices) == len(snapshot.vertices):
                skeleton = armatures.read(armature, rest.location.tolist())
                return skeleton, rest.save(transfer.folder / "rest.npz")
    return armatures.read(armature, snapshot.location.tolist()), transfer.source_file


def _warnings(skeleton: armatures.Skeleton, fitted: FittedBoneArrays, is_whole: bool) -> list[Remark]:
    """Says which limbs could not be fitted, which bones are unlike the source's, and which lie outside of the body."""
    names, parents = skeleton.names, skeleton.parents
    warnings: list[Remark] = []
    if is_whole:
        text = (
            "The armature could not be fitted: too many bones would lie astray. It is the source's, scaled to the "
            "target; move its joints by hand, or match again with point pairs."
        )
        warnings.append(ResultWarning("armature-copied", text))
    elif fitted.copied.any():
        first = fitted.copied & ~((parents >= 0) & fitted.copied[parents])
        text = (
            f"{fitted.copied.sum()} bones could not be fitted and stand as on the source, scaled: those from "
            f"{_names(names, first)} on. Move their joints by hand, or match again with point pairs."
        )
        warnings.append(ResultWarning("bones-copied", text))
    if fitted.doubtful.any():
        text = (
            f"These bones are much longer, shorter or turned otherwise than on the source, or far from what they move: "
            f"{_names(names, fitted.doubtful)}. Look at their joints."
        )
        warnings.append(ResultWarning("bones-doubtful", text))
    if fitted.outside.any():
        text = f"These bones have an end outside of the body: {_names(names, fitted.outside)}."
        warnings.append(ResultWarning("joints-outside", text))
    return warnings


def _names(names: list[str], mask: NDArray[np.bool_]) -> str:
    """The names of the bones that a mask (B,) chooses, between commas."""
    return ", ".join(name for name, is_chosen in zip(names, mask, strict=True) if is_chosen)


def _attach(transfer: Transfer, posing: list[BlenderObject], carried: Sequence[Handle]) -> list[Remark]:
    """Let armatures pose the target and what lies on it; returns sentences about it, and about those not carried."""
    source = transfer.source.handle.get()
    targets = transfer.target.objects()
    remarks: list[Remark] = []
    replaced: dict[BlenderObject, None] = {}
    for target in targets:
        before = binding.armatures_of(target)
        remarks += binding.attach(target, posing, source)
        replaced |= dict.fromkeys(binding.replaced(target, before))
    known = {handle.uid for handle in carried}
    if others := [other.name for other in binding.armatures_of(source) if other.session_uid not in known]:
        text = f"More armatures pose “{source.name}” and were not carried (no bones, or edited): {', '.join(others)}."
        remarks.append(ResultWarning("armatures-left-out", text))
    for handle in transfer.also:
        try:
            remarks += binding.attach(handle.get(), posing, source)
            targets.append(handle.get())
        except InputError as error:
            remarks.append(left_out_warning(handle, error))
    left = binding.leave((one for one in replaced if one not in posing), posing[0])
    return [*binding.posing(posing, targets), *remarks, *left]


ARMATURE = Carrier(_check, _carry)
