"""Named points of the source, which the target gets as empties."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from ...base.errors import InputError
from ...base.progress import Progress
from ...scene.dataset import key_points
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject
from ...worker import client
from ...worker.requests.arrays import load_array, save_array
from ...worker.requests.attributes import CarryKeyPoints
from ..options import Options
from .context import Carrier, Transfer, Write


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    if not key_points.has_key_points(source):
        raise no_key_points(source)


def no_key_points(source: BlenderObject) -> InputError:
    """The error of an object that has none."""
    return InputError(
        "no-key-points",
        f"“{source.name}” has no key points.",
        "Make empties its children, or vertex groups whose names begin with “key:”.",
    )


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    """From the pose that the source is shown in to the one of the target: both have the triangles of the map."""
    yield Progress("Reading key points", 0)
    found = key_points.places(transfer.source.handle.get())
    target = transfer.target.snapshot
    points = np.array(list(found.values())) - transfer.source.snapshot.location
    request = CarryKeyPoints(
        source=transfer.source_file,
        target=transfer.target_file,
        map=transfer.map,
        points=save_array(transfer.folder / "key-points.npy", points),
        output=transfer.folder / "key-points-carried.npy",
    )
    answer = yield from client.shared().run(request)
    carried = load_array(answer.points, "N3", N=len(found)).astype(np.float64)
    counts = [len(piece.snapshot.vertices) for piece in transfer.target.pieces]
    owner = np.repeat(np.arange(len(counts)), counts)[snapshots.nearest(carried.astype(np.float32), target.vertices)]
    placed = dict(zip(found, carried + target.location, strict=True))

    def write() -> list[str]:
        sentences = []
        for number, obj in enumerate(transfer.target.objects()):
            own = {name: place for (name, place), piece in zip(placed.items(), owner, strict=True) if piece == number}
            if own:
                sentences.append(key_points.write(obj, own))
        return sentences

    return write


KEY_POINTS = Carrier(_check, _carry)
