"""Files that PyTorch writes, read as numbers alone."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from ..base.storage import write_file


def load(path: Path, device: str = "cpu") -> Any:
    """What a file holds, its tensors on a device; no code in it is run.

    Raises one of :data:`meshkin.base.storage.UNREADABLE`: ValueError where it holds anything but numbers.
    """
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(str(error)) from error


def save(path: Path, state: Any) -> None:
    """Write a state whole or not at all; raises StorageError."""
    packed = io.BytesIO()
    torch.save(state, packed)
    write_file(path, lambda file: file.write_bytes(packed.getvalue()))
