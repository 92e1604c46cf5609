"""Transfers: what each needs, how it is carried over a map, how it is written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base import sides
from ..base.errors import InputError
from ..base.progress import Progress
from ..base.storage import write_arrays
from ..data.snapshot import Snapshot
from ..scene.materials import textures
from ..scene.mesh import attributes
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import armature as armatures
from ..scene.rig import binding, constraints, weights
from ..worker import client
from . import payloads, texturing
from .describing import DescribedObject, undescribed
from .files import arrays, job_folder, save
from .matching import ObjectMatch, find_match
from .options import NEARNESS, TRANSFERS, WAYS, Options, Report, Steps


def transfer(source: BlenderObject, target: BlenderObject, what: Sequence[str], options: Options = Options()) -> Steps:
    """Carry texture, weights or attributes from source to target through their map (made first where it is not there).

    Raises as :func:`match`, and InputError ``transfer-unknown``, ``no-texture``, ``no-uvs``, ``no-groups``,
    ``no-attributes``, ``no-armature``: before anything is computed where that can be known.
    """
    unknown = [name for name in what if name not in TRANSFERS]
    if unknown or not what:
        raise InputError(
            "transfer-unknown", f"“{', '.join(unknown)}” cannot be transferred.", f"Choose from {', '.join(TRANSFERS)}."
        )
    for obj in (target, *options.rig.also):
        snapshots.check_writable(obj)
    ends = Handle.of(source), Handle.of(target)
    also = tuple(Handle.of(obj) for obj in options.rig.also if obj not in (source, target))
    wanted = [name for name in TRANSFERS if name in what]
    for name in wanted:
        check, _ = _CARRIERS[name]
        check(source, target, options)
    with job_folder() as folder:
        worn = "weights" in wanted and (yield from _worn(*ends, options, folder))
        if worn and set(wanted) <= {"weights", "armature"}:
            made = ObjectMatch(undescribed(ends[0]), undescribed(ends[1]), Path())
        else:
            made = yield from find_match(*ends, options, folder)
        one, two = made.source, made.target
        for end, name in ((one, "source"), (two, "target")):
            end.snapshot.save(folder / f"{name}.npz")
        map_file = str(made.map) if made.map.name else ""
        job = Transfer(one, two, map_file, folder, options, worn, also)
        writes = []
        try:
            for name in wanted:
                _, carry = _CARRIERS[name]
                writes.append((yield from carry(job)))
        finally:
            job.take_back()
        one.handle.get()
        snapshots.check_writable(two.handle.get())
        snapshots.check_unchanged(two.handle.get(), two.snapshot)
        details = [sentence for write in writes for sentence in write()]
        if sharing := two.handle.others_with_same_mesh():
            details.append(
                f"Its mesh is also that of {', '.join(f'“{name}”' for name in sharing)}, which show the same."
            )
        if map_file:
            made.remember()
    return Report(
        f"“{one.handle.name}” gave “{two.handle.name}” its {' and '.join(wanted)}.",
        details,
        {"map": map_file, "written": wanted},
    )


@dataclass(frozen=True)
class Transfer:
    source: DescribedObject
    target: DescribedObject
    map: str
    folder: Path
    options: Options
    worn: bool = False
    also: tuple[Handle, ...] = ()
    undo: list[Callable[[], None]] = field(default_factory=list)

    def answer(self, kind: str, **arguments: Any) -> Generator[Progress, None, dict[str, Any]]:
        """Run one transfer job on both snapshots and the map; its answer comes back."""
        paths = {"map": self.map, "source": str(self.folder / "source.npz"), "target": str(self.folder / "target.npz")}
        return (yield from client.shared().run(kind, {**paths, **arguments}))

    def take_back(self) -> None:
        """Take away what was only shown."""
        while self.undo:
            self.undo.pop()()

    def run(self, kind: str, **arguments: Any) -> Generator[Progress, None, dict[str, NDArray[Any]]]:
        """Run one transfer job on both snapshots and the map; its arrays come back."""
        paths = {"map": self.map, "source": str(self.folder / "source.npz"), "target": str(self.folder / "target.npz")}
        result = yield from client.shared().run(
            kind, {**paths, "output": str(self.folder / f"{kind}.npz"), **arguments}
        )
        return arrays(Path(result["output"]))


def _worn(source: Handle, target: Handle, options: Options, folder: Path) -> Generator[Progress, None, bool]:
    """Whether weights are to come from the nearest point: chosen so, or the target lies on the source."""
    if options.weights.nearness != "auto" or options.weights.method == "features":
        return options.weights.nearness == "always"
    arguments = {}
    for name, handle in (("source", source), ("target", target)):
        arguments[name] = str(folder / f"{name}-place.npz")
        snapshots.take(handle.get()).check().save(folder / f"{name}-place.npz")
    return bool((yield from client.shared().run("worn", arguments))["worn"])


Write = Callable[[], list[str]]
"""Writes what was carried to the target and says what it wrote."""


def _check_texture(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    texturing.check(source, target, texturing.wanted_of(options))


def _carry_texture(job: Transfer) -> Generator[Progress, None, Write]:
    def show(small: texturing.Made) -> None:
        obj = job.target.handle.get()
        snapshots.check_writable(obj)
        written = small.write(obj, "")
        job.undo.append(lambda: textures.undo_write(job.target.handle, written))

    source, target = job.source.handle.get(), job.target.handle.get()
    wanted = texturing.wanted_of(job.options)
    made = yield from texturing.carry(source, target, job.source.snapshot, job.answer, job.folder, wanted, show)

    def write() -> list[str]:
        written = made.write(job.target.handle.get(), wanted.folder)
        return texturing.described(written, made)

    return write


_FINDINGS = {
    "missing": "these bones move hardly anything on the target",
    "split": "these bones move several separate places",
    "crossed": "these bones lie on the wrong side",
}
"""What the check after a transfer of weights says."""


def _check_weights(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    weights.chosen_groups(source, options.weights.groups, options.weights.pattern)
    if options.weights.limit < 1:
        raise InputError("weights-limit", "A vertex cannot have less than one weight.", "Choose a limit of 1 or more.")
    if options.weights.nearness not in NEARNESS:
        raise InputError(
            "nearness-unknown",
            f"“{options.weights.nearness}” is no way to use nearness.",
            f"Choose from {', '.join(NEARNESS)}.",
        )
    if options.weights.method not in WAYS:
        raise InputError(
            "way-unknown", f"“{options.weights.method}” is no way of weights.", f"Choose from {', '.join(WAYS)}."
        )
    if options.weights.mask and options.weights.mask not in target.vertex_groups:
        raise InputError(
            "mask-missing", f"“{target.name}” has no vertex group “{options.weights.mask}”.", "Choose one that it has."
        )


def _carry_weights(job: Transfer) -> Generator[Progress, None, Write]:
    source, options = job.source.handle.get(), job.options
    groups = weights.chosen_groups(source, options.weights.groups, options.weights.pattern)
    names, values = weights.read(source, job.source.snapshot, groups)
    save(job.folder / "groups.npy", values)
    chosen = {name: getattr(options.weights, name) for name in ("limit", "smoothing", "threshold")}
    chosen |= {"mirror": sides.mirror_indices(names), "way": options.weights.method, "features": None}
    if job.source.features and job.target.features:
        chosen["features"] = [job.source.features, job.target.features]
    if job.worn:
        chosen["map"] = ""
    carried = yield from job.run("weights", weights=str(job.folder / "groups.npy"), **chosen)
    left = [group.name for group in source.vertex_groups if group.name not in names]
    also = []
    if job.also:
        save(job.folder / "carried.npy", carried["weights"])
    for index, handle in enumerate(job.also):
        # Each lies on the target: it takes the weights that the target has just been given.
        snapshot = snapshots.take(handle.get()).check()
        snapshot.save(job.folder / f"also{index}.npz")
        places = {"source": str(job.folder / "target.npz"), "target": str(job.folder / f"also{index}.npz"), "map": ""}
        worn = yield from job.run(
            "weights", **{**chosen, **places, "features": None}, weights=str(job.folder / "carried.npy")
        )
        also.append((handle, snapshot, worn))
    extra: list[str] = []
    if not job.worn:
        main = (job.target.snapshot, "target.npz", carried)
        others = [(snapshot, f"also{index}.npz", worn) for index, (_, snapshot, worn) in enumerate(also)]
        extra = yield from _parts_of_kin(job, names, values, [main, *others])
    called = sides.rename([*names, *extra], dict(options.weights.rename))

    def put(obj: BlenderObject, snapshot: Snapshot, result: dict[str, NDArray[Any]], *more: Any) -> list[str]:
        rows, inpainted = (result[name][snapshot.original] for name in ("weights", "inpainted"))
        kept = np.flatnonzero((np.arange(len(called)) < len(names)) | rows.any(axis=0))
        groups, column = sides.unique_names([called[one] for one in kept])
        summed = np.zeros((len(rows), len(groups)), np.float64)
        np.add.at(summed.T, column, rows[:, kept].T)
        said = weights.write(obj, groups, summed, options.weights.limit, options.weights.mix, *more)
        attributes.write(obj, weights.INPAINTED, inpainted.astype(np.float32))
        return said

    def write() -> list[str]:
        obj = job.target.handle.get()
        said = put(obj, job.target.snapshot, carried, options.weights.mask, options.weights.mirrored)
        said += binding.copy_modifier_flags(obj, job.source.handle.get())
        origin = "the nearest point of the source" if job.worn else "the match"
        if carried["learned"]:
            origin = "the features"
        share = carried["inpainted"][job.target.snapshot.original].mean()
        said.insert(0, f"From {origin}; {share:.0%} of the vertices were inpainted.")
        if np.isfinite(carried["compared"]).all():
            learned, copied = carried["compared"]
            said.append(
                f"On held-out patches of the source, weights learned from features are off by {learned:.2f}, "
                f"weights copied from the most similar point by {copied:.2f}."
            )
        if left:
            why = (
                "not of deforming bones"
                if options.weights.groups == "deform" and not options.weights.pattern
                else "not chosen"
            )
            said.append(f"Not carried, {why}: {', '.join(left)}.")
        for finding, text in _FINDINGS.items():
            if job.worn and finding == "missing":
                continue  # clothes cover a part of the body only
            if len(carried[finding]):
                said.append(f"Check: {text}: {', '.join(called[bone] for bone in carried[finding])}.")
        for handle, snapshot, worn in also:
            one = handle.get()
            snapshots.check_writable(one)
            snapshots.check_unchanged(one, snapshot)
            put(one, snapshot, worn)
            kin = (
                f"the same part of “{job.source.handle.name}”" if worn.get("kin") else f"“{obj.name}”, on which it lies"
            )
            said.append(f"“{one.name}” takes its weights from {kin}.")
        return said

    return write


def _parts_of_kin(
    job: Transfer,
    names: list[str],
    values: NDArray[np.float32],
    shapes: list[tuple[Snapshot, str, dict[str, NDArray[Any]]]],
) -> Generator[Progress, None, list[str]]:
    """Give small loose parts the weights of the source's: eyes that are meshes of their own keep their own bones.

    Args:
        names, values: the groups that were carried, and their weights on the source.
        shapes: of what weights were carried to: the snapshot, its file, and the job's answer, which is changed.

    Returns the names of further groups, for which the weights in the answers have columns.
    """
    source, options = job.source.handle.get(), job.options
    targets = [job.target.handle.get(), *(handle.get() for handle in job.also)]
    read = []
    for one in binding.meshes_posed_with(source):
        if one not in targets:
            with contextlib.suppress(InputError):  # none of its groups is chosen, or it has no surface
                snapshot = snapshots.take(one).check()
                groups = weights.chosen_groups(one, options.weights.groups, options.weights.pattern)
                read.append((snapshot, *weights.read(one, snapshot, groups)))
    if not read:
        shapes = shapes[1:]
    if not shapes:
        return []
    extra = list(dict.fromkeys(name for _, groups, _ in read for name in groups if name not in names))
    column = {name: number for number, name in enumerate([*names, *extra])}
    origin, start = job.source.snapshot.location, 0
    vertices, faces, rows = [], [], []
    for snapshot, groups, found in [(job.source.snapshot, names, values), *read]:
        vertices.append(snapshot.vertices + (snapshot.location - origin))
        faces.append(snapshot.faces + start)
        start += len(snapshot.vertices)
        wide = np.zeros((len(found), len(column)), np.float32)
        wide[:, [column[name] for name in groups]] = found
        rows.append(wide)
    fields: dict[str, Any] = {
        "vertices": np.concatenate(vertices),
        "faces": np.concatenate(faces),
        "weights": np.concatenate(rows),
    }
    write_arrays(job.folder / "others.npz", fields)
    for _, file, result in shapes:
        so_far = np.pad(result["weights"], ((0, 0), (0, len(extra))))
        save(job.folder / "rows.npy", so_far)
        paths = {name: str(job.folder / path) for name, path in (("rows", "rows.npy"), ("others", "others.npz"))}
        parts = yield from job.run("parts", **paths, shape=str(job.folder / file), limit=options.weights.limit)
        result["weights"] = parts["weights"]
        result["inpainted"] = result["inpainted"] & ~parts["found"]
        result["kin"] = np.array(parts["found"].all())
    return extra


def _check_armature(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    armatures.check(source)


def _carry_armature(job: Transfer) -> Generator[Progress, None, Write]:
    """Fit a copy of the source's armature; what is worn is posed by the source's own."""
    source, snapshot = job.source.handle.get(), job.source.snapshot
    armature = Handle.of(armatures.check(source))

    def attach(rig: BlenderObject) -> list[str]:
        like = job.source.handle.get()
        posed = [job.target.handle, *job.also]
        return [sentence for one in posed for sentence in binding.attach(one.get(), rig, like)]

    if job.worn:
        return lambda: attach(armature.get())
    driven = armatures.bones_moved_by_constraints(armature.get())
    shape = str(job.folder / "source.npz")
    skeleton = armatures.read(armature.get(), snapshot.location.tolist())
    if driven:
        # Constraints and drivers will pose the copy as they pose the source: what they do must not be in its rest.
        with armatures.at_rest(armature.get()):
            rest = snapshots.take(source)
            if len(rest.vertices) == len(snapshot.vertices):
                skeleton = armatures.read(armature.get(), rest.location.tolist())
                shape = str(job.folder / "rest.npz")
                rest.save(Path(shape))
    groups: list[str] = []
    values = np.zeros((len(snapshot.vertices), 0), np.float32)
    if source.vertex_groups:
        groups, values = weights.read(source, snapshot, [group.name for group in source.vertex_groups])
    number = {name: index for index, name in enumerate(groups)}
    save(job.folder / "groups.npy", values)
    fields = {name: getattr(skeleton, name) for name in ("heads", "tails", "axes", "parents", "mirror")}
    fields["column"] = np.array([number.get(name, -1) for name in skeleton.names], np.int64)
    write_arrays(job.folder / "bones.npz", fields)
    given = {"weights": str(job.folder / "groups.npy"), "bones": str(job.folder / "bones.npz"), "source": shape}
    fitted = yield from job.run("joints", **given)

    def write() -> list[str]:
        target = job.target.handle.get()
        shift = job.target.snapshot.location - snapshot.location
        copy = armatures.copy_to(armature.get(), target, shift.tolist(), f"{armature.name} on {target.name}")
        scale, place = float(fitted["scale"]), job.target.snapshot.location
        heads, tails = fitted["heads"] + place, fitted["tails"] + place
        before = constraints.rest_state(armature.get())
        armatures.move_bones(copy, skeleton.names, heads, tails, fitted["axes"], scale, before)
        said = [
            f"Armature: {len(skeleton.names)} bones of “{armature.name}”, {float(fitted['scale']):.2f} times as large."
        ]
        if driven:
            said.append(f"Constraints and drivers move these bones from rest, as on the source: {', '.join(driven)}.")
        if fitted["moved"].any():
            listed = [name for name, one in zip(skeleton.names, fitted["moved"], strict=True) if one]
            said.append(f"Brought back into the body: {', '.join(listed)}.")
        armatures.rename_bones(copy, job.options.weights.rename)
        return said + attach(copy)

    return write


def _payload(kind: str) -> tuple[_Check, _Carry]:
    """How one of :data:`meshkin.workflow.payloads.KINDS` is checked and carried."""

    def check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
        payloads.check(kind, source, target, options.attributes.names)

    def carry(job: Transfer) -> Generator[Progress, None, Write]:
        source, target = job.source, job.target
        write = yield from payloads.carry(
            kind,
            source.handle.get(),
            target.handle.get(),
            source.snapshot,
            target.snapshot,
            job.options.attributes.names,
            job.answer,
            job.folder,
        )
        return lambda: write(target.handle.get())

    return check, carry


_Check = Callable[[BlenderObject, BlenderObject, Options], None]


_Carry = Callable[[Transfer], Generator[Progress, None, Write]]


_CARRIERS: dict[str, tuple[_Check, _Carry]] = {
    "texture": (_check_texture, _carry_texture),
    "weights": (_check_weights, _carry_weights),
    **{kind: _payload(kind) for kind in payloads.KINDS},
    "armature": (_check_armature, _carry_armature),
}
