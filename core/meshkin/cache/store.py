"""Features and maps on disk: computed once, found again by key; the least recently used are deleted first.

``features/KEY.safetensors`` holds one shape's features in half precision, ``maps/KEY.npz`` a map between two shapes,
``painted/KEY/`` the pictures that an extractor painted, ``partial/KEY/`` the views that a stopped job had finished, or
how far a family had been learned.
The modification time of a file says when it was last used. Files are written whole or not at all, so that any number of
processes may share the folder, on several machines, too: times are those of the folder's disk, not of the machine, and
a file is read at once, for one that is mapped into memory may be deleted by another machine meanwhile. Where maps lie
is in :mod:`meshkin.base.storage`, since Blender looks there too.

A cache of others may stand behind this one, which is only read (``MESHKIN_SHARED_CACHE``): what is found there is
copied here. ``limit`` in the folder holds the bytes that this cache may hold, whichever machine looks at it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

from ..base.errors import InputError, StorageError
from ..base.json_data import from_json, to_json
from ..base.storage import (
    SEAL,
    UNLIMITED,
    UNREADABLE,
    bring,
    cache_folder,
    check_seal,
    read_file,
    readable_failure,
    seal,
    shared_cache_folder,
    write_file,
)
from ..base.variables import CACHE_LIMIT
from ..data.features import FeatureOrigin, Features
from ..data.surface_map import Match

LIMIT = 8 * 10**9
"""Bytes the cache may hold, unless ``MESHKIN_CACHE_LIMIT`` says otherwise. Chosen: thousands of shapes."""
GRACE = 3600.0
"""Seconds after its last use in which :func:`trim` leaves a file alone. Chosen: a running job may still need it."""

_LIMIT_FILE = "limit"
"""Name of the file with the cache's own limit, bytes in decimal figures."""
_FILES = ("features/*.safetensors", "maps/*.npz", "painted/*/*.png", "partial/*/*.safetensors", "partial/*/*.pt")
"""Patterns of all files of the cache."""
DAMAGED = (*UNREADABLE, SafetensorError, InputError)
"""What reading a missing or damaged file raises."""
_HALF_MAX = float(np.finfo(np.float16).max)
"""The largest number in half precision: larger features are cut off there."""


def features_path(key: str) -> Path:
    """The cache file of the features with this key, there or not."""
    return cache_folder() / "features" / f"{key}.safetensors"


def painted_folder(key: str) -> Path:
    """The folder of the painted pictures of the features with this key (``000.png`` ...), there or not."""
    return cache_folder() / "painted" / key


def partial_folder(key: str) -> Path:
    """The folder in which a job keeps finished views of the features with this key, until all are finished."""
    return cache_folder() / "partial" / key


def save(key: str, features: Features) -> Path:
    """Keep features under ``key``, in half precision, then :func:`trim` the cache; returns the file's path.

    Raises StorageError (``disk-full``, ``not-writable``, ``file-failed``); an older file stays whole then.
    """
    path = features_path(key)
    write(path, features)
    trim(now=_used(path))
    return path


def write(path: Path, features: Features) -> None:
    """Write features to a .safetensors file anywhere; raises StorageError."""
    arrays = {
        "features": np.clip(features.features, -_HALF_MAX, _HALF_MAX, dtype=np.float32).astype(np.float16),
        "seen": np.ascontiguousarray(features.seen, np.int16),
        "confidence": np.ascontiguousarray(features.confidence, np.float32),
    }
    write_tensors(path, arrays, {"meshkin": json.dumps(to_json(features.origin))})


def read(path: Path) -> Features:
    """Read what :func:`write` wrote and mark it as used; raises StorageError (``file-damaged``)."""
    try:
        arrays, metadata = read_tensors(path)
        features = Features(
            arrays["features"].astype(np.float32), arrays["seen"], arrays["confidence"], _origin(metadata)
        )
        rows = len(features.features)
        if features.features.ndim != 2 or features.seen.shape != (rows,) or features.confidence.shape != (rows,):
            raise ValueError("rows are missing")
        if not (np.isfinite(features.features).all() and np.isfinite(features.confidence).all()):
            raise ValueError("some are not numbers")
    except DAMAGED as error:
        raise StorageError(
            "file-damaged", f"The features in {path} cannot be read.", "Compute the features again."
        ) from error
    _touch(path)
    return features


def usable(key: str) -> bool:
    """Whether features are kept under ``key``, here or in the shared cache, whole; a damaged file is removed."""
    return _is_whole(features_path(key), read)


def _is_whole(path: Path, read_file: Callable[[Path], object]) -> bool:
    """Whether a file can be read, after it was brought from the shared cache if it is there; a damaged one is removed.

    It is read twice before that, and left where the disk does not answer: other machines may need it.
    """
    bring(path)
    for last in (False, True):
        before = _state(path)
        try:
            read_file(path)
            return True
        except StorageError as error:
            missing_or_offline = isinstance(error.__cause__, OSError) and error.__cause__.errno is not None
            if last and not missing_or_offline and _state(path) == before:  # nobody has mended it meanwhile
                _remove(path)
    return False


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written again; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def write_tensors(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays to a .safetensors file, with a checksum and the file's name; raises StorageError."""
    content = to_bytes(dict(arrays), {**metadata, SEAL: seal(path, _all(arrays, metadata))})
    write_file(path, lambda file: file.write_bytes(content))


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Read the arrays and the metadata that :func:`write_tensors` wrote.

    Raises one of :data:`DAMAGED`, also if the file is not what was written at this place of the cache.
    """
    content = read_file(path)
    arrays = from_bytes(content)
    end = 8 + int.from_bytes(content[:8], "little")  # of the header, whose length comes first
    metadata = dict(json.loads(content[8:end])["__metadata__"])
    noted = metadata.pop(SEAL)
    check_seal(noted, path, _all(arrays, metadata))
    return arrays, metadata


def _all(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Arrays, and metadata as arrays of their characters."""
    return {**arrays, **{f"{name} (text)": np.frombuffer(text.encode(), np.uint8) for name, text in metadata.items()}}


def _origin(metadata: Mapping[str, str]) -> FeatureOrigin:
    return from_json(FeatureOrigin, json.loads(metadata["meshkin"]))


def usable_map(path: Path) -> bool:
    """Whether a map lies at ``path``, or in the shared cache, that can be read; a damaged one is removed."""
    if not _is_whole(path, Match.load):
        return False
    _touch(path)
    return True


def bring_painted(key: str) -> Path:
    """The :func:`painted_folder`, with the pictures that the shared cache has of it."""
    own, shared = painted_folder(key), shared_cache_folder()
    if shared is not None:
        with contextlib.suppress(OSError):  # the network is gone
            for picture in (shared / own.relative_to(cache_folder())).glob("*.png"):
                bring(own / picture.name)
    return own


def limit() -> int:
    """Bytes the cache may hold: its own limit, else ``MESHKIN_CACHE_LIMIT``, else :data:`LIMIT`; 0 stands for as many
    as there is room for.

    Raises OptionError ``variable-invalid``.
    """
    own = _own_limit()
    chosen = CACHE_LIMIT.value if own is None else own
    return LIMIT if chosen is None else chosen or UNLIMITED


def set_limit(limit_bytes: int | None) -> None:
    """Give this cache a limit of its own, for all machines that use it; 0 for no limit, None for that of each machine.

    Raises StorageError.
    """
    path = cache_folder() / _LIMIT_FILE
    if limit_bytes is not None:
        write_file(path, lambda file: file.write_text(f"{limit_bytes}\n", encoding="ascii"))
    else:
        with readable_failure(path, "deleting"):
            path.unlink(missing_ok=True)


def _own_limit() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        text = (cache_folder() / _LIMIT_FILE).read_text(encoding="ascii").strip()
        return int(text) if text.isdecimal() else None
    return None


def trim(limit_bytes: int | None = None, now: float | None = None) -> int:
    """Delete the least recently used files until the cache holds at most ``limit_bytes`` (default :func:`limit`).

    Files used within the last :data:`GRACE` seconds stay, even if the cache is too large with them. Temporary files
    that killed processes left behind are deleted first. Returns the number of bytes freed. What another machine deletes
    at the same time counts, too: together they delete no more than one would.

    Args:
        limit_bytes: see above.
        now: the time by the clock of the folder's disk, seconds since the epoch; None for this machine's.
    """
    room = limit() if limit_bytes is None else limit_bytes
    entries = _entries()
    total = sum(size for _, _, size in entries)
    freed = 0
    latest = (time.time() if now is None else now) - GRACE
    for path, used, size in sorted(entries, key=lambda entry: (not entry[0].name.startswith("."), entry[1])):
        if used > latest or (total - freed <= room and not path.name.startswith(".")):
            continue
        if _remove(path):
            freed += size
    return freed


def clear() -> None:
    """Delete every file of the cache; raises StorageError (``not-writable``)."""
    for path, _, _ in _entries():
        with readable_failure(path, "deleting"):
            path.unlink(missing_ok=True)


def info() -> dict[str, Any]:
    """``folder``, number of ``files``, their ``bytes``, the ``limit`` in bytes, and ``shared``, the one behind it."""
    entries, shared = _entries(), shared_cache_folder()
    return {
        "folder": str(cache_folder()),
        "files": len(entries),
        "bytes": sum(size for _, _, size in entries),
        "limit": limit(),
        "shared": str(shared) if shared else None,
    }


def _entries() -> list[tuple[Path, float, int]]:
    """Every file of the cache, when it was last used (seconds since the epoch) and its size in bytes."""
    entries = []
    for path in (file for pattern in _FILES for file in cache_folder().glob(pattern)):
        with contextlib.suppress(OSError):  # another process may be trimming too
            status = path.stat()
            entries.append((path, status.st_mtime, status.st_size))
    return entries


def _touch(path: Path) -> None:
    """Mark a file as used now."""
    with contextlib.suppress(OSError):  # a cache on a read-only disk works as well
        os.utime(path)


def _used(path: Path) -> float | None:
    """When a file was last used, seconds since the epoch; None if that cannot be told."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return None


def _remove(path: Path) -> bool:
    """Delete a file; returns whether it is gone."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        return True
    return False
