"""The parts of the source's faces, by the map where it is sure and by what the parts are like where it is not."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...parts.options import PartOptions
from ...scene.mesh import part_labels
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject
from ...worker import client
from ...worker.requests.arrays import save_array
from ...worker.requests.parts import FindParts, PartArrays, ShapeToCut
from ..characters import split
from ..options import Options, Remark
from .context import Carrier, Transfer, Write


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    if not part_labels.has_parts(source):
        raise InputError(
            "no-parts", f"“{source.name}” has no parts and no face sets.", "Find its parts first (panel Parts)."
        )


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    yield Progress("Reading parts", 0)
    assert transfer.match is not None
    source = transfer.source.handle.get()
    labels, names = part_labels.read(source, transfer.source.snapshot)
    set_name = part_labels.set_of(source)
    folder = transfer.folder / "parts"
    folder.mkdir()
    ends, shapes = (transfer.match.source, transfer.match.target), []
    own = [snapshots.own_mesh_in_place(each.handle.get(), each.shape) for each in transfer.target.pieces]
    for number, end in enumerate(ends):
        shape = end.of.shape.save(folder / f"shape{number}.npz")
        mesh = Snapshot.joined(own).save(folder / "own.npz") if number else shape
        match = transfer.map if number else None
        shapes.append(ShapeToCut(shape, mesh, end.features, folder / f"parts{number}.npz", match))
    file = save_array(folder / "labels.npy", labels)
    request = FindParts(tuple(shapes), len(names), PartOptions.smooth, file)
    answer = yield from client.shared().run(request)
    counts = [len(target.data.polygons) for target in transfer.target.objects()]
    arrays = PartArrays.load(answer.parts[0], N=sum(counts))
    found = list(zip(split(arrays.labels, counts), split(arrays.confidence, counts), strict=True))

    def write() -> list[Remark]:
        told: list[Remark] = []
        for target, (values, sure) in zip(transfer.target.objects(), found, strict=True):
            told += part_labels.write(target, values.astype(np.int32), sure, names, ("face_sets",), set_name)
        return told

    return write


PART_LABELS = Carrier(_check, _carry)
