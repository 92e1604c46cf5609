"""Parts of objects: found from their features or told by what is on them, the same on all, written on their faces."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import in_step
from ..data.snapshot import Snapshot
from ..data.surface_map import Match
from ..parts.options import PartOptions
from ..scene import characters
from ..scene.mesh import part_labels, part_objects, part_sources
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import bone_parts
from ..worker import client
from ..worker.requests.arrays import save_array
from ..worker.requests.parts import FindParts, PartArrays, ShapeToCut
from .characters import CharacterSnapshot, read, split
from .describing import Described, describe, handles_of
from .doubts import match_remarks
from .files import work_folder
from .matching import find_match
from .options import Options, Remark, Report, Steps
from .steps import CUT, CUT_SECONDS, MATCH_SECONDS, Costs, feature_costs, match_of
from .whole_job import whole_job

Group = tuple[Handle, ...]
"""The meshes of one character, which are cut as one surface."""
Faces = tuple[NDArray[np.integer], NDArray[np.floating]]
"""The part of each face of an object's own mesh, from 0, and the confidence."""


@dataclass(frozen=True)
class _Known:
    """Parts that need not be looked for.

    Attributes:
        names: of the parts.
        faces: of the objects on which they are.
        shown: the part of each face of the first group's meshes as their modifiers leave them.
    """

    names: list[str]
    faces: dict[Handle, Faces]
    shown: NDArray[np.integer]


def parts(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Cut objects into parts and write them; several objects get the same parts, with the same numbers and names.

    The first object tells what the parts are: it is cut by its features, or has them already as
    ``options.parts.method`` says. The others are matched to it and get its parts through the map, or by what the parts
    are like where the map is not sure. Meshes of one character are one surface.

    Writes the attributes ``meshkin_part`` and ``meshkin_part_confidence`` on the faces, and what ``options.parts``
    says. ``data["parts"]`` holds the number of faces in each part, by the objects' names.
    Raises InputError (``nothing-selected``, ``too-many-parts``, bad meshes; as
    :func:`meshkin.scene.mesh.part_sources.read` and, by bones, ``no-armature``, ``no-weights``), OptionError,
    ModelError, WorkerError, StorageError.
    """
    handles = list(dict.fromkeys(handles_of(objects)))
    part_labels.check_options(options.parts)
    for handle in handles:
        snapshots.check_writable(handle.get())
    groups = [
        tuple(Handle.of(obj) for obj in group) for group in characters.of_selected([one.get() for one in handles])
    ]
    known = _known(groups, handles, options.parts)
    if known and all(handle in known.faces for handle in handles):
        return _written(known.faces, known.names, options)
    first, *others = groups
    costs: Costs = feature_costs([first[0]], options)
    for group in others:
        costs |= {**feature_costs([group[0]], options), match_of(first[0], group[0]): MATCH_SECONDS}
    return (yield from whole_job(_parts(groups, known, options), costs | {CUT: CUT_SECONDS}))


def _known(groups: Sequence[Group], handles: Sequence[Handle], options: PartOptions) -> _Known | None:
    """What is known without features."""
    if options.method == "features":
        return None
    if options.method == "bones":
        return _known_by_bones(groups[0], handles, options.count or PartOptions.count)
    read_labels = [part_sources.read(handle.get(), options.method, options.attribute) for handle in groups[0]]
    own = part_sources.joined([labels for labels, _ in read_labels])
    shown = part_sources.renamed(part_sources.joined([labels for _, labels in read_labels]), own.names)
    counts = [len(labels.values) for labels, _ in read_labels]
    faces = {
        handle: (values, np.ones(len(values), np.float32))
        for handle, values in zip(groups[0], split(own.values, counts), strict=True)
    }
    return _Known(own.names, faces, shown.values)


def _known_by_bones(first: Group, handles: Sequence[Handle], count: int) -> _Known:
    """The parts of the first group by its bones, and of the others whose bones have the same names."""
    bones = {handle: bone_parts.read(handle.get()) for handle in first}
    grouped = bone_parts.parts_of_bones(list(bones.values()), count)
    for handle in handles:
        if handle not in bones:
            try:
                others = bone_parts.read(handle.get())
            except InputError:  # it has no rig: the parts are carried to it
                continue
            if grouped.number.keys() & set(others.names):
                bones[handle] = others
    shown = []
    for handle in first:
        with snapshots.evaluated(handle.get()) as (evaluated_object, mesh):
            labels, sure = grouped.labels(bone_parts.read(evaluated_object, mesh))
        shown.append(np.where(sure > 0, labels, -1))
    return _Known(
        grouped.names, {handle: grouped.labels(each) for handle, each in bones.items()}, np.concatenate(shown)
    )


def _parts(groups: Sequence[Group], known: _Known | None, options: Options) -> Steps:
    first = groups[0]
    waiting = [group for group in groups[1:] if not known or any(handle not in known.faces for handle in group)]
    with work_folder() as folder:
        described = [(yield from describe((yield from read(first)), options, folder / "first"))]
        shapes = [_to_cut(described[0], folder / "first", None)]
        remarks: list[Remark] = []
        for number, group in enumerate(waiting):
            place = folder / f"object{number}"
            place.mkdir()
            match = yield from find_match(first, group, options, place)
            described.append(match.target)
            shapes.append(_to_cut(match.target, place, match.map))
            remarks += [_about(group[0], remark) for remark in match_remarks(Match.load(match.map))]
        labels = save_array(folder / "labels.npy", known.shown) if known else None
        count = len(known.names) if known else options.parts.count
        request = FindParts(tuple(shapes), count, options.parts.smooth, labels)
        answer = yield from in_step(CUT, client.shared().run(request))
        faces: dict[Handle, Faces] = dict(known.faces) if known else {}
        for item, path in zip(described[1:] if known else described, answer.parts, strict=True):
            faces |= _of_pieces(item.of, path)
        for item in described:
            item.of.check_unchanged()
        names = known.names if known else part_labels.names_of(first[0].get(), answer.count, answer.names)
        if not known and answer.count < options.parts.count:
            remarks.append(f"{options.parts.count} parts were asked for; no more than {answer.count} are large enough.")
        if not (known or answer.has_sides):
            remarks.append(f"“{first[0].name}” has no clear mirror twin: no part is called left or right.")
        return _written(faces, names, options, remarks)


def _to_cut(item: Described, folder: Path, map: Path | None) -> ShapeToCut:
    """What the worker is told about a shape; its files go to a folder."""
    folder.mkdir(exist_ok=True)
    own = Snapshot.joined([snapshots.own_mesh_in_place(each.handle.get(), each.shape) for each in item.of.pieces])
    return ShapeToCut(
        item.of.shape.save(folder / "shape.npz"),
        own.save(folder / "own.npz"),
        item.features,
        folder / "parts.npz",
        map,
    )


def _of_pieces(character: CharacterSnapshot, path: Path) -> dict[Handle, Faces]:
    """The parts of each mesh, from the file that the worker wrote for all of them."""
    counts = [len(handle.get().data.polygons) for handle in character.handles]
    arrays = PartArrays.load(path, N=sum(counts))
    pieces = zip(split(arrays.labels, counts), split(arrays.confidence, counts), strict=True)
    return dict(zip(character.handles, pieces, strict=True))


def _about(handle: Handle, remark: Remark) -> Remark:
    """The remark with the name of the object that it is about."""
    if isinstance(remark, str):
        return f"“{handle.name}”: {remark}"
    return replace(remark, message=f"“{handle.name}”: {remark.message}")


def _written(faces: dict[Handle, Faces], names: list[str], options: Options, remarks: Sequence[Remark] = ()) -> Report:
    """Write the labels and the confidence of the faces of each object; returns what was done."""
    told: list[Remark] = list(remarks)
    sizes = {}
    made: dict[str, list[str]] = {}
    set_name = uuid.uuid4().hex
    for handle, (labels, confidence) in faces.items():
        obj = handle.get()
        told += part_labels.write(obj, labels, confidence, names, options.parts.write, set_name)
        sizes[handle.name] = {name: int((labels == number).sum()) for number, name in enumerate(names)}
        if "objects" in options.parts.write:
            made[handle.name] = [piece.name for piece in part_objects.separate(obj, labels, names)]
            told.append(f"“{handle.name}” is now {len(made[handle.name])} objects.")
    title = ", ".join(f"“{handle.name}”" for handle in faces)
    data = {"parts": sizes, **({"objects": made} if made else {})}
    return Report.of(f"{title}: cut into {len(names)} parts.", told, data)
