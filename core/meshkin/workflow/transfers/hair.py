"""Hair curves that grow on the source, copied onto the target."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from ...base.errors import InputError
from ...base.progress import Progress
from ...scene.mesh import hair, rest
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
    ends = [
        rest.unposed(end.handle.get(), end.snapshot).save(transfer.folder / f"{name}-unposed.npz")
        for name, end in (("source", transfer.source), ("target", transfer.target))
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
        target = transfer.target.handle.get()
        return [hair.write(target, strands, arrays.points, arrays.roots) for strands, arrays in carried]

    return write


def _loaded(strands: hair.Hair, arrays: Path) -> StrandArrays:
    """What became of the strands of a hair object."""
    return StrandArrays.load(arrays, P=len(strands.points), N=len(strands.first))


HAIR = Carrier(_check, _carry)
