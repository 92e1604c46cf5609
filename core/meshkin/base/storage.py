"""Where MeshKin keeps what outlives a job, and how it writes files so that none is ever half there.

Everything lies under one home folder, shared by every Blender on the machine: ``worker/`` (the Python
environment), ``models/``, ``cache/``. ``MESHKIN_HOME`` moves it; preferences may move each part.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import StorageError

UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)
"""What reading a missing or damaged array file raises."""


def home() -> Path:
    """MeshKin's folder: ``MESHKIN_HOME``, else the platform's place for a user's application data."""
    if chosen := os.environ.get("MESHKIN_HOME"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "MeshKin"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "MeshKin"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "meshkin"


def models_folder() -> Path:
    """Where fetched models lie: ``MESHKIN_MODELS``, else ``home()/models``."""
    return Path(os.environ.get("MESHKIN_MODELS") or home() / "models")


def cache_folder() -> Path:
    """Where features and maps are kept: ``MESHKIN_CACHE``, else ``home()/cache``."""
    return Path(os.environ.get("MESHKIN_CACHE") or home() / "cache")


def map_path(key: str) -> Path:
    """The cache file of the map with this key, there or not."""
    return cache_folder() / "maps" / f"{key}.npz"


@contextlib.contextmanager
def readable_failure(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError raised inside the block into a :class:`StorageError` that names ``path`` and the fix."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                "disk-full",
                f"There is no space left while {doing} {path}.",
                "Free some space or choose another folder.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                "not-writable", f"No permission for {doing} {path}.", "Choose a folder that you may write to."
            ) from error
        raise StorageError("file-failed", f"Failed while {doing} {path}: {error.strerror or error}.") from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents; raises StorageError."""
    with readable_failure(path, "making the folder"):
        path.mkdir(parents=True, exist_ok=True)
    return path


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all: ``write`` fills a temporary neighbor, which then takes ``path``'s place.

    Raises StorageError (``disk-full``, ``not-writable``, ``file-failed``); an older file at ``path`` stays then.
    """
    make_folder(path.parent)
    with readable_failure(path, "writing"):
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.chmod(0o666 & ~_umask())  # a temporary file is its owner's alone; the user's file is like any
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, Any], compressed: bool = False) -> None:
    """Write arrays as an .npz file, whole or not at all, as :func:`write_file`.

    They are packed in memory: a zip archive that runs into a full disk cannot be closed any more.
    """
    import numpy as np  # here: what starts the worker does without

    packed = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(packed, **arrays)
    write_file(path, lambda file: file.write_bytes(packed.getvalue()))
