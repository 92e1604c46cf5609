"""Skinning weights, for the target and for what lies on it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base import sides
from ...base.errors import InputError, OptionError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import attributes, surfaces
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject, Handle
from ...scene.rig import binding
from ...scene.rig import weights as vertex_groups
from ...transfer.weights.groups import merge_groups
from ...transfer.weights.options import WeightOptions
from ...worker import client
from ...worker.requests.arrays import save_array
from ...worker.requests.weights import (
    MethodErrors,
    ProblemColumns,
    TransferWeights,
    TransferWeightsResult,
    WeightArrays,
)
from ..joints import ASTRAY
from ..options import NEARNESS, WEIGHT_METHODS, Options, Remark, ResultWarning
from .context import Carrier, Transfer, Write, left_out_warning
from .loose_parts import WeightedTarget, transfer_loose_parts

_PROBLEMS = {
    "missing": "these bones move hardly anything on the target",
    "split": "these bones move several separate places",
    "crossed": "these bones lie on the wrong side",
}
"""What the report says about each field of :class:`meshkin.worker.requests.weights.ProblemColumns`."""
WARNED_MISSING_SHARE = 0.02
"""Share of the source's weights that bones have which move hardly anything, from which this is a warning (chosen: a
hand has about as much)."""
WARNED_INPAINTED_SHARE = 0.5
"""Share of inpainted vertices from which most weights are a guess (chosen)."""
WARNED_UNSOLVED_SHARE = 0.01
"""Share of vertices for which inpainting could not be solved, from which this is a warning (chosen)."""


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    chosen = options.weights
    names = vertex_groups.chosen_groups(source, chosen.groups, chosen.pattern)
    vertex_groups.check_weighted(source, names)
    if chosen.limit < 1:
        raise OptionError("weights-limit", "A vertex cannot have less than one weight.", "Choose a limit of 1 or more.")
    if chosen.nearness not in NEARNESS:
        raise OptionError(
            "nearness-unknown",
            f"“{chosen.nearness}” is no way to use nearness.",
            f"Choose from {', '.join(NEARNESS)}.",
        )
    if chosen.method not in WEIGHT_METHODS:
        raise OptionError(
            "way-unknown", f"“{chosen.method}” is no way of weights.", f"Choose from {', '.join(WEIGHT_METHODS)}."
        )
    if chosen.mask and chosen.mask not in target.vertex_groups:
        raise OptionError(
            "mask-missing", f"“{target.name}” has no vertex group “{chosen.mask}”.", "Choose one that it has."
        )


@dataclass(frozen=True)
class _Worn:
    """A mesh that lies on the target, and its weights."""

    handle: Handle
    weighted: WeightedTarget


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    source, options = transfer.source.handle.get(), transfer.options.weights
    names, values = vertex_groups.read(
        source, transfer.source.snapshot, vertex_groups.chosen_groups(source, options.groups, options.pattern)
    )
    not_carried = [group.name for group in source.vertex_groups if group.name not in names]
    surface_map = None
    if not transfer.is_garment:
        surface_map = transfer.by_joints.map if transfer.by_joints else transfer.map
    request = TransferWeights(
        source=transfer.source_file,
        target=transfer.target_file,
        map=surface_map,
        weights=save_array(transfer.folder / "groups.npy", values),
        mirror=tuple(sides.mirror_indices(names)),
        options=WeightOptions(options.limit, options.smoothing, options.threshold, method=options.method),
        features=None if transfer.by_joints else _feature_files(transfer),
        output=transfer.folder / "weights.npz",
    )
    answer = yield from client.shared().run(request)
    carried = _loaded(transfer.target.snapshot, transfer.target_file, answer.arrays, len(names))
    worn, left_out = yield from _carry_to_worn(transfer, request, carried)
    all_names = names
    if surface_map is not None:
        targets = [carried, *(each.weighted for each in worn)]
        all_names, (carried, *others) = yield from transfer_loose_parts(transfer, surface_map, names, values, targets)
        worn = [replace(each, weighted=weighted) for each, weighted in zip(worn, others, strict=True)]
    target_names = sides.rename(all_names, options.new_names)

    def write() -> list[Remark]:
        written: list[vertex_groups.WrittenGroups] = []
        flags: list[str] = []
        for target, rows in zip(transfer.target.objects(), transfer.target.rows(), strict=True):
            own = _of_vertices(carried.arrays, rows)
            mask = options.mask
            written.append(_write_groups(target, own, target_names, len(names), options, mask, options.mirrored))
            flags += binding.copy_modifier_flags(target, transfer.source.handle.get())
        sentences: list[Remark] = [
            *_origin(transfer, answer, carried),
            *_unsolved([carried, *(each.weighted for each in worn)]),
            *vertex_groups.sentences(written),
            *flags,
        ]
        sentences += _errors(answer.errors)
        if not_carried:
            why = "not of deforming bones" if options.groups == "deform" and not options.pattern else "not chosen"
            sentences.append(f"Not carried, {why}: {', '.join(not_carried)}.")
        sentences += _problems(answer.problems, target_names, transfer.is_garment)
        for each in worn:
            sentences.append(_write_worn(each, transfer, target_names, len(names)))
        sentences += left_out
        return sentences

    return write


def _loaded(snapshot: Snapshot, file: Path, arrays: Path, bones: int) -> WeightedTarget:
    """Weights for a shape, which the worker has written to a file."""
    return WeightedTarget(snapshot, file, WeightArrays.load(arrays, V=len(snapshot.vertices), B=bones))


def _write_worn(worn: _Worn, transfer: Transfer, names: list[str], always: int) -> Remark:
    """Write the weights of a mesh that lies on the target; returns a sentence about it. One that cannot be written to
    any more does not keep the others from their weights."""
    try:
        obj = worn.handle.get()
        snapshots.check_writable(obj)
        snapshots.check_unchanged(obj, worn.weighted.snapshot)
        own = _of_vertices(worn.weighted.arrays, worn.weighted.snapshot.original)
        _write_groups(obj, own, names, always, transfer.options.weights)
    except InputError as error:
        return left_out_warning(worn.handle, error)
    origin = f"“{transfer.target.name}”, on which it lies"
    if worn.weighted.all_matched:
        origin = f"the same part of “{transfer.source.handle.name}”"
    return f"“{obj.name}” takes its weights from {origin}."


def _feature_files(transfer: Transfer) -> tuple[Path, Path] | None:
    """The files of the source's and the target's features, which are there if the two are matched."""
    return (transfer.match.source.features, transfer.match.target.features) if transfer.match else None


def _carry_to_worn(
    transfer: Transfer, request: TransferWeights, carried: WeightedTarget
) -> Generator[Progress, None, tuple[list[_Worn], list[Remark]]]:
    """The weights of what lies on the target: each mesh takes those that the target has just been given.

    Returns the meshes, and warnings about those that were deleted or emptied meanwhile.
    """
    worn: list[_Worn] = []
    left_out: list[Remark] = []
    if transfer.also:
        save_array(transfer.folder / "carried.npy", carried.arrays.weights)
    for index, handle in enumerate(transfer.also):
        try:
            snapshot = surfaces.take_checked(handle.get())
        except InputError as error:
            left_out.append(left_out_warning(handle, error))
            continue
        file = snapshot.save(transfer.folder / f"also{index}.npz")
        answer = yield from client.shared().run(
            replace(
                request,
                source=transfer.target_file,
                target=file,
                map=None,
                weights=transfer.folder / "carried.npy",
                features=None,
                output=transfer.folder / f"also{index}-weights.npz",
            )
        )
        worn.append(_Worn(handle, _loaded(snapshot, file, answer.arrays, carried.arrays.weights.shape[1])))
    return worn, left_out


def _of_vertices(arrays: WeightArrays, rows: NDArray[np.int32]) -> WeightArrays:
    """The weights of these vertices of a surface, int32 (W,)."""
    return WeightArrays(arrays.weights[rows], arrays.inpainted[rows], arrays.unsolved[rows])


def _write_groups(
    obj: BlenderObject,
    own: WeightArrays,
    names: list[str],
    always: int,
    options: WeightOptions,
    mask: str = "",
    mirrored: bool = False,
) -> vertex_groups.WrittenGroups:
    """Write weights and where they were inpainted to an object.

    Args:
        obj: the object.
        own: the weights of its own vertices; a column for each of the names.
        names: of the groups.
        always: the first so many groups are written even if they are empty.
        options: influence limit and mix.
        mask: vertex group by which the mix is multiplied; "" for none.
        mirrored: whether to create the empty groups of the other side.
    """
    merged, merged_names = merge_groups(own.weights, names, always)
    written = vertex_groups.write(obj, merged_names, merged, options.limit, options.mix, mask, mirrored)
    attributes.write(obj, vertex_groups.INPAINTED, own.inpainted.astype(np.float32))
    return written


def _origin(transfer: Transfer, answer: TransferWeightsResult, carried: WeightedTarget) -> list[Remark]:
    origin = "the nearest point of the source" if transfer.is_garment else "the match"
    if answer.learned:
        origin = "the features"
    if transfer.by_joints:
        origin = "the nearest point of the source, posed onto the joints of the target's armature"
    share = carried.arrays.inpainted[carried.snapshot.original].mean()
    remarks: list[Remark] = [f"From {origin}; {share:.0%} of the vertices were inpainted."]
    if transfer.by_joints and transfer.by_joints.distance > ASTRAY:
        sentence = (
            f"Posed onto the target's joints, the source lies {transfer.by_joints.distance:.0%} of its size beside it: "
            "look whether the joints are in place."
        )
        remarks.append(ResultWarning("joints-astray", sentence))
    if (
        share > WARNED_INPAINTED_SHARE and not transfer.is_garment
    ):  # loose clothes are inpainted from where they touch the body
        remarks.append(
            ResultWarning("mostly-inpainted", f"Most weights are a guess: {share:.0%} of the vertices were inpainted.")
        )
    return remarks


def _unsolved(targets: list[WeightedTarget]) -> list[Remark]:
    """Says where inpainting could not be solved, so that the nearest vertex stands in."""
    remarks: list[Remark] = []
    for weighted in targets:
        share = weighted.arrays.unsolved[weighted.snapshot.original].mean()
        sentence = (
            f"“{weighted.snapshot.name}”: inpainting could not be solved for {share:.1%} of the vertices (the mesh is"
            " degenerate there); they take the weights of the nearest vertex."
        )
        if share > 0:
            remarks.append(
                ResultWarning("inpainting-unsolved", sentence) if share > WARNED_UNSOLVED_SHARE else sentence
            )
    return remarks


def _errors(errors: MethodErrors | None) -> list[str]:
    if errors is None:
        return []
    return [
        f"On held-out patches of the source, weights learned from features are off by {errors.learned:.2f}, "
        f"weights copied from the most similar point by {errors.copied:.2f}."
    ]


def _problems(problems: ProblemColumns, names: list[str], is_garment: bool) -> list[Remark]:
    remarks: list[Remark] = []
    for problem, text in _PROBLEMS.items():
        bones: tuple[int, ...] = getattr(problems, problem)
        if not bones or (is_garment and problem == "missing"):  # clothes cover a part of the body only
            continue
        sentence = f"Check: {text}: {', '.join(names[bone] for bone in bones)}."
        is_small = problem == "missing" and problems.missing_share <= WARNED_MISSING_SHARE
        remarks.append(sentence if is_small else ResultWarning(f"bones-{problem}", sentence))
    return remarks


WEIGHTS = Carrier(_check, _carry)
