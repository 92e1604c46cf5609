"""Materials, as textures in the target's UV map."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...base.progress import Progress
from ...scene.materials import textures
from ...scene.mesh import snapshot as snapshots
from ...scene.objects import BlenderObject
from ...worker import client
from .. import texturing
from ..options import Options
from .context import Carrier, Transfer, Write


def _check(source: BlenderObject, target: BlenderObject, options: Options) -> None:
    texturing.check(source, target, texturing.wanted_of(options))


def _carry(transfer: Transfer) -> Generator[Progress, None, Write]:
    def show(small: texturing.Made) -> None:
        obj = transfer.target.handle.get()
        snapshots.check_writable(obj)
        written = small.write(obj, "")
        transfer.previews.append(lambda: textures.undo_write(transfer.target.handle, written))

    def run(kind: str, **arguments: Any) -> Generator[Progress, None, dict[str, Any]]:
        paths = {"map": str(transfer.map), "source": str(transfer.source_file), "target": str(transfer.target_file)}
        return (yield from client.shared().run(kind, {**paths, **arguments}))

    source, target = transfer.source.handle.get(), transfer.target.handle.get()
    wanted = texturing.wanted_of(transfer.options)
    made = yield from texturing.carry(source, target, transfer.source.snapshot, run, transfer.folder, wanted, show)

    def write() -> list[str]:
        written = made.write(transfer.target.handle.get(), wanted.folder)
        return texturing.described(written, made)

    return write


TEXTURE = Carrier(_check, _carry)
