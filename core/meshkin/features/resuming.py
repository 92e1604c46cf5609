"""Feature maps of single views on disk, so that a job that was stopped resumes where it was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..base.errors import StorageError
from ..base.progress import ProgressCallback
from ..base.storage import write_file
from ..cache import store as cache
from .extractor import PictureReader
from .view_data import Grids, ViewImages


def extract(reader: PictureReader, images: ViewImages, folder: Path, report: ProgressCallback) -> Iterator[Grids]:
    """Yield the maps of ``reader.extract``; those that an earlier run left in ``folder`` are not computed again.

    New maps are kept in the folder. All maps come in half precision, so that a resumed run gives the same as one that
    was not interrupted. If the disk is full, maps are no longer kept, but the job goes on. The maps of a view must not
    depend on the other views.
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
        maps = [grid.half() for grid in batch.maps]
        views = [missing[view] for view in batch.views]
        for row, view in enumerate(views):
            more = {} if batch.painted is None else {"painted": batch.painted[row].cpu().contiguous()}
            if batch.misfits is not None:
                more["misfit"] = torch.tensor(batch.misfits[row])
            keeping = keeping and _write(folder / f"{view:03d}.safetensors", [grid[row] for grid in maps], more)
        yield Grids(views, maps, batch.painted, batch.misfits)


def save_pictures(grids: Iterator[Grids], folder: Path) -> Iterator[Grids]:
    """Yield the same grids, and write what was painted to ``folder`` as ``000.png`` and so on, until the disk is
    full."""
    keeping = True
    for batch in grids:
        if batch.painted is not None:
            pictures = batch.painted.permute(0, 2, 3, 1).cpu().numpy()
            for view, picture in zip(batch.views, pictures, strict=True):
                image = Image.fromarray(picture)
                path = folder / f"{view:03d}.png"
                keeping = keeping and _written(lambda path=path, image=image: write_file(path, image.save))  # type: ignore[misc]
        yield batch


def _read(path: Path, view: int, device: torch.device) -> Grids | None:
    """The maps that are kept of a view, or None; a damaged file counts as none."""
    try:
        arrays, _ = cache.read_tensors(path)
    except cache.DAMAGED:
        return None
    tensors = {name: torch.from_numpy(values) for name, values in arrays.items()}
    painted, misfit = tensors.pop("painted", None), tensors.pop("misfit", None)
    maps = [tensors[name][None].to(device) for name in sorted(tensors)]
    misfits = None if misfit is None else [float(misfit)]
    return Grids([view], maps, None if painted is None else painted[None], misfits)


def _write(path: Path, maps: list[torch.Tensor], more: Mapping[str, torch.Tensor]) -> bool:
    """Keep the maps of a view, and what else is known of it; returns whether the file was written."""
    arrays: dict[str, Any] = {f"map{index:02d}": grid.cpu().contiguous().numpy() for index, grid in enumerate(maps)}
    arrays |= {name: values.numpy() for name, values in more.items()}
    return _written(lambda: cache.write_tensors(path, arrays, {}))


def _written(write: Callable[[], None]) -> bool:
    """Write a file; returns whether it was written."""
    try:
        write()
    except StorageError as error:
        print(f"Views are no longer kept: {error}", file=sys.stderr, flush=True)
        return False
    return True
