"""A copy of the source's armature, fitted into the target."""

from __future__ import annotations

from collections.abc import Generator
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
from ...scene.rig import binding, constraints
from ...scene.rig import weights as vertex_groups
from ...worker import client
from ...worker.requests.arrays import save_array
from ...worker.requests.rig import BoneArrays, FitBones, FittedBoneArrays
from ..options import Options, Remark, ResultWarning
from .context import Carrier, Transfer, Write, left_out_warning


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    armatures.check(source)


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    """Fit a copy of the source's armature; a garment is posed by the source's own."""
    armature = Handle.of(armatures.check(transfer.source.handle.get()))
    if transfer.is_garment:
        return lambda: _attach(transfer, armature.get())
    constrained = armatures.bones_moved_by_constraints(armature.get())
    skeleton, shape_file = _read_skeleton(transfer, armature.get(), bool(constrained))
    answer = yield from client.shared().run(
        FitBones(
            source=shape_file,
            target=_unposed_target(transfer).save(transfer.folder / "target-unposed.npz"),
            map=transfer.map,
            bones=_save_bones(transfer, skeleton),
            weights=transfer.folder / "bone-weights.npy",
            output=transfer.folder / "joints.npz",
        )
    )
    fitted = FittedBoneArrays.load(answer.arrays, B=len(skeleton.names))

    def write() -> list[Remark]:
        target, place = transfer.target.handle.get(), transfer.target.snapshot.location
        shift = place - transfer.source.snapshot.location
        copy = armatures.copy_to(armature.get(), target, shift.tolist(), f"{armature.name} on {target.name}")
        rest_before = constraints.rest_state(armature.get())
        heads, tails = fitted.heads + place, fitted.tails + place
        armatures.move_bones(copy, skeleton.names, heads, tails, fitted.axes, answer.scale, rest_before)
        remarks: list[Remark] = [
            f"Armature: {len(skeleton.names)} bones of “{armature.name}”, {answer.scale:.2f} times as large."
        ]
        if constrained:
            remarks.append(
                f"Constraints and drivers move these bones from rest, as on the source: {', '.join(constrained)}."
            )
        if (moved := fitted.moved & ~fitted.copied).any():
            remarks.append(f"Brought back into the body: {_names(skeleton.names, moved)}.")
        remarks += _warnings(skeleton, fitted, answer.whole)
        rigs = [armature.get(), *binding.armatures_of(target)]
        shape_keys.redirect_drivers(target, {**dict.fromkeys(rigs, copy), **{rig.data: copy.data for rig in rigs}})
        armatures.rename_bones(copy, transfer.options.weights.new_names.items())
        return remarks + _attach(transfer, copy)

    return write


def _unposed_target(transfer: Transfer) -> Snapshot:
    """The target as no armature poses it: the new one takes the place of the one that does. A target that has other
    vertices then stays as it is."""
    try:
        return rest.unposed(transfer.target.handle.get(), transfer.target.snapshot)
    except InputError:
        return transfer.target.snapshot


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


def _save_bones(transfer: Transfer, skeleton: armatures.Skeleton) -> Path:
    """Write the bones, with their columns of the source's weights, and these weights; returns the bones' file."""
    source, snapshot = transfer.source.handle.get(), transfer.source.snapshot
    groups: list[str] = []
    weights = np.zeros((len(snapshot.vertices), 0), np.float32)
    if source.vertex_groups:
        groups, weights = vertex_groups.read(source, snapshot, [group.name for group in source.vertex_groups])
    save_array(transfer.folder / "bone-weights.npy", weights)
    column = {name: index for index, name in enumerate(groups)}
    arrays = BoneArrays(
        skeleton.heads,
        skeleton.tails,
        skeleton.axes,
        skeleton.parents,
        skeleton.mirror,
        np.array([column.get(name, -1) for name in skeleton.names], np.int64),
    )
    return arrays.save(transfer.folder / "bones.npz")


def _warnings(skeleton: armatures.Skeleton, fitted: FittedBoneArrays, is_whole: bool) -> list[Remark]:
    """Says which limbs could not be fitted, and which bones lie outside of the body."""
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
    if fitted.outside.any():
        text = f"These bones have an end outside of the body: {_names(names, fitted.outside)}."
        warnings.append(ResultWarning("joints-outside", text))
    return warnings


def _names(names: list[str], mask: NDArray[np.bool_]) -> str:
    """The names of the bones that a mask (B,) chooses, between commas."""
    return ", ".join(name for name, is_chosen in zip(names, mask, strict=True) if is_chosen)


def _attach(transfer: Transfer, armature: BlenderObject) -> list[Remark]:
    """Let an armature pose the target and what lies on it; returns sentences about it."""
    source = transfer.source.handle.get()
    remarks: list[Remark] = [*binding.attach(transfer.target.handle.get(), armature, source)]
    if others := [other.name for other in binding.armatures_of(source)[1:]]:
        text = f"More armatures pose “{source.name}” and were not carried: {', '.join(others)}."
        remarks.append(ResultWarning("armatures-left-out", text))
    for handle in transfer.also:
        try:
            remarks += binding.attach(handle.get(), armature, source)
        except InputError as error:
            remarks.append(left_out_warning(handle, error))
    return remarks


ARMATURE = Carrier(_check, _carry)
