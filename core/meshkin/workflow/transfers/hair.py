"""Hair curves that grow on the source, copied onto the target."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError
from ...base.progress import Progress
from ...data.snapshot import Snapshot
from ...scene.mesh import hair, rest
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject
from ...worker import client
from ...worker.requests.arrays import save_array
from ...worker.requests.attributes import CarryStrands, StrandArrays
from ..options import Options
from .context import Carrier, Transfer, Write


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    if not hair.growing_on(source):
        raise InputError(
            "no-hair",
            f"No hair curves grow on “{source.name}”.",
            "Choose a source that has some; a particle system becomes such by Object > Convert > Curves.",
        )


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    yield Progress("Reading hair", 0)
    carried: list[tuple[hair.Hair, StrandArrays]] = []
    own = [rest.unposed(piece.handle.get(), piece.snapshot) for piece in transfer.target.pieces]
    source, target = rest.unposed(transfer.source.handle.get(), transfer.source.snapshot), Snapshot.joined(own)
    ends = [
        shape.save(transfer.folder / f"{name}-unposed.npz") for name, shape in (("source", source), ("target", target))
    ]  # hair is combed at rest, and follows the skin from there
    for number, strands in enumerate(hair.read(transfer.source.handle.get())):
        answer = yield from client.shared().run(
            CarryStrands(
                source=ends[0],
                target=ends[1],
                map=transfer.map,
                points=save_array(transfer.folder / f"hair{number}-points.npy", strands.points),
                first=save_array(transfer.folder / f"hair{number}-first.npy", strands.first),
                output=transfer.folder / f"hair{number}.npz",
            )
        )
        carried.append((strands, _loaded(strands, answer.arrays)))

    def write() -> list[str]:
        sentences = []
        for strands, arrays in carried:
            number = _grown_on(own, target, arrays.points[strands.first])
            obj, points = (
                transfer.target.handles[number].get(),
                arrays.points - (own[number].location - target.location),
            )
            sentences.append(hair.write(obj, strands, points.astype(np.float32), arrays.roots))
        return sentences

    return write


def _loaded(strands: hair.Hair, arrays: Path) -> StrandArrays:
    """What became of the strands of a hair object."""
    return StrandArrays.load(arrays, P=len(strands.points), N=len(strands.first))


def _grown_on(pieces: Sequence[Snapshot], shape: Snapshot, roots: NDArray[np.float32]) -> int:
    """The number of the mesh, of those that a shape is joined of, on which most of the roots (N, 3) lie."""
    counts = [len(piece.vertices) for piece in pieces]
    piece = np.repeat(np.arange(len(counts)), counts)[snapshots.nearest(roots, shape.vertices)]
    return int(np.bincount(piece, minlength=len(counts)).argmax())


HAIR = Carrier(_check, _carry)
