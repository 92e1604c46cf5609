"""Parts of objects: found from their features, written on their faces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..base.progress import in_step, of_job
from ..parts.options import PartOptions
from ..scene.mesh import part_labels
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..scene.rig import bone_parts
from ..worker import client
from ..worker.requests.parts import FindParts, PartArrays, ShapeToCut
from .characters import read
from .describing import describe, handles_of
from .files import work_folder
from .options import Options, Report, Steps
from .steps import CUT, CUT_SECONDS, feature_costs


def parts(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Cut objects into parts and write them; several objects get the same parts, with the same numbers and names.

    Writes the attributes ``meshkin_part`` and ``meshkin_part_confidence`` on the faces, and what ``options.parts``
    says. ``data["parts"]`` holds the number of faces in each part, by the objects' names.
    Raises InputError (``nothing-selected``, bad meshes; by bones ``no-armature``, ``no-weights``), OptionError,
    ModelError, WorkerError, StorageError.
    """
    handles = handles_of(objects)
    part_labels.check_options(options.parts)
    for handle in handles:
        snapshots.check_writable(handle.get())
    if options.parts.method == "bones":
        return _parts_by_bones(handles, options)
    return (yield from of_job(_parts(handles, options), {**feature_costs(handles, options), CUT: CUT_SECONDS}))


def _parts(handles: Sequence[Handle], options: Options) -> Steps:
    with work_folder() as folder:
        described = []
        shapes = []
        for index, handle in enumerate(handles):
            item = yield from describe((yield from read([handle])), options, folder / f"object{index}")
            own = snapshots.own_mesh_in_place(handle.get(), item.of.shape)
            shapes.append(
                ShapeToCut(
                    item.of.shape.save(folder / f"shape{index}.npz"),
                    own.save(folder / f"own{index}.npz"),
                    item.features,
                    folder / f"parts{index}.npz",
                )
            )
            described.append(item)
        request = FindParts(tuple(shapes), options.parts.count, options.parts.smooth)
        answer = yield from in_step(CUT, client.shared().run(request))
        found = [
            PartArrays.load(path, N=len(handle.get().data.polygons))
            for path, handle in zip(answer.parts, handles, strict=True)
        ]
        for item in described:
            item.of.check_unchanged()
        labels = [(arrays.labels, arrays.confidence) for arrays in found]
        return _written(handles, labels, part_labels.names_of(handles[0].get(), answer.count), options)


def _parts_by_bones(handles: Sequence[Handle], options: Options) -> Report:
    objects = [handle.get() for handle in handles]
    found, names = bone_parts.parts_by_bones(objects, options.parts.count or PartOptions.count)
    return _written(handles, found, names, options)


def _written(
    handles: Sequence[Handle],
    found: Sequence[tuple[NDArray[np.integer], NDArray[np.floating]]],
    names: list[str],
    options: Options,
) -> Report:
    """Write the labels and the confidence of the faces of each object; returns what was done."""
    sentences = []
    sizes = {}
    for handle, (labels, confidence) in zip(handles, found, strict=True):
        sentences += part_labels.write(handle.get(), labels, confidence, names, options.parts.write)
        sizes[handle.name] = {name: int((labels == number).sum()) for number, name in enumerate(names)}
    title = ", ".join(f"“{handle.name}”" for handle in handles)
    return Report(f"{title}: cut into {len(names)} parts.", sentences, {"parts": sizes})
