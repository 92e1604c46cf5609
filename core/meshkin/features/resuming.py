"""Feature maps of single views on disk, so that a job that was stopped goes on where it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..base.errors import StorageError
from ..base.progress import ProgressCallback
from ..base.storage import UNREADABLE, write_file
from .extractor import PictureReader
from .view_data import Grids, ViewImages


def extract(reader: PictureReader, images: ViewImages, folder: Path, report: ProgressCallback) -> Iterator[Grids]:
    """As ``reader.extract``, but what ``folder`` keeps of an earlier run is not computed again, and what is computed
    is kept there.

    Maps come in half precision, kept or not, so that a resumed run gives what an uninterrupted one does. A disk that
    is full ends the keeping, not the job. The maps of a view must not depend on the other views.
    """
    device = getattr(reader, "device", torch.device("cpu"))
    count = len(images.normal)
    missing = []
    for view in range(count):
        if (grids := _read(folder / f"{view:03d}.safetensors", view, device)) is None:
            missing.append(view)
        else:
            report("Taking up views done before", view / count)
            yield grids
    if not missing:
        return
    keeping = True
    for batch in reader.extract(images.take(missing), report):
        maps = [one.half() for one in batch.maps]
        views = [missing[view] for view in batch.views]
        for row, view in enumerate(views):
            painted = None if batch.painted is None else batch.painted[row]
            keeping = keeping and _write(folder / f"{view:03d}.safetensors", [one[row] for one in maps], painted)
        yield Grids(views, maps, batch.painted)


def save_pictures(grids: Iterator[Grids], folder: Path) -> Iterator[Grids]:
    """The same grids; what was painted is written to ``folder`` as ``000.png`` and so on, as it comes, until the disk
    is full."""
    keeping = True
    for batch in grids:
        if batch.painted is not None:
            pictures = batch.painted.permute(0, 2, 3, 1).cpu().numpy()
            for view, picture in zip(batch.views, pictures, strict=True):
                image = Image.fromarray(picture)
                keeping = keeping and _written(folder / f"{view:03d}.png", image.save)
        yield batch


def _read(path: Path, view: int, device: torch.device) -> Grids | None:
    """What is kept of a view, or None; a damaged file counts as none."""
    try:
        found = load_file(path) if path.exists() else None
    except (*UNREADABLE, SafetensorError):
        return None
    if found is None:
        return None
    painted = found.pop("painted", None)
    maps = [found[name][None].to(device) for name in sorted(found)]
    return Grids([view], maps, None if painted is None else painted[None])


def _write(path: Path, maps: list[torch.Tensor], painted: torch.Tensor | None) -> bool:
    """Keep a view; whether that went well."""
    tensors: dict[str, Any] = {f"map{index:02d}": one.cpu().contiguous() for index, one in enumerate(maps)}
    if painted is not None:
        tensors["painted"] = painted.cpu().contiguous()
    return _written(path, lambda file: save_file(tensors, file))


def _written(path: Path, write: Callable[[Path], None]) -> bool:
    """Write a file; whether that went well."""
    try:
        write_file(path, write)
    except (StorageError, SafetensorError) as error:
        print(f"Views are not kept any more: {error}", file=sys.stderr, flush=True)
        return False
    return True
