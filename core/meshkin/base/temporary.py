"""Temporary folders, which go at the latest when MeshKin is started the next time.

Each has a file that its process keeps locked, so that folders of processes that were killed can be told from those in
use.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .storage import readable_failure

PREFIX = "meshkin-"
"""Beginning of the names of folders in the system's folder for temporary files."""
_IN_USE = ".meshkin-in-use"
"""The file in each folder that its process keeps locked."""


@contextlib.contextmanager
def temporary_folder(parent: Path | None = None, prefix: str = PREFIX) -> Iterator[Path]:
    """A new folder that only this user can read, in ``parent`` or the system's place; deleted at the end.

    Another process that still writes into it then cannot make it anew. Raises StorageError.
    """
    place = parent or Path(tempfile.gettempdir())
    with readable_failure(place, "making a folder in"):
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        try:
            stream = mark_in_use(folder)
        except OSError:
            folder.rmdir()
            raise
    try:
        yield folder
    finally:
        stream.close()
        _delete(folder)


def mark_in_use(folder: Path) -> BinaryIO:
    """Say that a folder is in use until the returned file is closed, or this process ends; raises OSError."""
    stream = (folder / _IN_USE).open("ab")
    lock_file(stream)
    return stream


def remove_leftovers(parent: Path, prefix: str) -> None:
    """Delete the folders with this beginning that processes marked as in use and left behind when they were killed."""
    for mark in parent.glob(f"{prefix}*/{_IN_USE}"):
        with contextlib.suppress(OSError):  # another process removes it, or it is another user's
            with mark.open("ab") as stream:
                abandoned = lock_file(stream) is True
            if abandoned:
                _delete(mark.parent)


def _delete(folder: Path) -> None:
    """Delete a folder. It is renamed first: what another process still writes then finds no folder to write to."""
    gone = folder.with_name(f"{folder.name}.gone")
    try:
        folder.rename(gone)
    except OSError:  # as on Windows while a file in it is open
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


def lock_file(stream: BinaryIO) -> bool | None:
    """Lock an open file until it is closed; False if another process has locked it, None if that cannot be told."""
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(0)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return None
    return True
