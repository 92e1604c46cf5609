"""Files of data sets, each written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import StorageError
from ..base.storage import UNREADABLE, write_file


def write_compressed(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an .npz file, compressed as fast as it can be, whole or not at all; raises StorageError."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            content = BytesIO()
            np.save(content, array, allow_pickle=False)
            archive.writestr(f"{name}.npy", content.getvalue())
    write_file(path, lambda file: file.write_bytes(packed.getvalue()))


def write_json(path: Path, data: object) -> Path:
    """Write JSON, whole or not at all, also into a folder that is not there yet; raises StorageError."""
    write_file(path, lambda file: file.write_text(json.dumps(data), encoding="utf-8"))
    return path


def read_json(path: Path) -> object:
    """Read JSON; raises StorageError ``file-damaged``."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except UNREADABLE as error:
        raise StorageError("file-damaged", f"{path} cannot be read.", "Delete it and make it again.") from error
