"""Where a painting stands, on disk, so that one that was stopped goes on."""

from __future__ import annotations

import contextlib
from pathlib import Path

import torch

from ..base.errors import StorageError
from ..base.storage import read_arrays, write_arrays
from .synchronized import PaintState

_FIELDS = ("texture", "views", "foreseen")


def write(path: Path, state: PaintState) -> None:
    """Keep a state; where the disk is full, it is not kept."""
    arrays = {name: getattr(state, name) for name in _FIELDS}
    known = {name: values.float().cpu().numpy() for name, values in arrays.items() if values is not None}
    with contextlib.suppress(StorageError):
        write_arrays(path, {"index": state.index, **known})


def read(path: Path, device: torch.device) -> PaintState | None:
    """The state that was kept; None if there is none."""
    try:
        arrays = read_arrays(path, "The state of the painting", "Start again.")
    except StorageError:
        return None
    known = {name: torch.from_numpy(arrays[name]).to(device) for name in _FIELDS if name in arrays}
    return PaintState(int(arrays["index"]), **known)
