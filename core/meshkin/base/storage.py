"""MeshKin's folders, and writing of files so that a file is either complete or absent.

Everything that outlives a job lies in one home folder, which all Blenders on the machine share: ``worker/`` (the Python
environment), ``models/`` and ``cache/``. The environment variable ``MESHKIN_HOME`` moves the home folder; the
preferences can move models and cache.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from . import variables
from .errors import StorageError

UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError),
    *(RuntimeError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""Exceptions that reading a missing or damaged file of arrays may raise: whatever a header makes a parser do."""
UNLIMITED = 1 << 62
"""Bytes that no disk has: no limit of the cache. Chosen."""
_SHOWN_OF_NAME = 20
"""Characters of a file's name that its temporary file has, too (chosen: people see which one it is)."""
SEAL = "meshkin_seal"
"""Name of the text in a file of arrays, or of tensors, that says what the arrays were, and what the file was called."""


_REPLACE_TRIES, _REPLACE_SECONDS = 10, 0.05
"""How often to try to replace a file that others read, and the seconds between (chosen: a file is read in less)."""
_READ_TRIES = 3
"""How often to read a file that others replace meanwhile (chosen: they do it once)."""
_LONGEST_NAME = 120
"""Bytes of a file's name that is made from another name (chosen: less than half of the 255 that file systems allow, so
that two can be joined)."""
_HASH_BYTES = 4
"""Bytes of the hash at the end of a file's name that is not the given one (chosen: two of a thousand names get the same
one in ten thousand cases)."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, which no file can have (Microsoft, “Naming Files, Paths, and Namespaces”)."""


def home() -> Path:
    """Return MeshKin's folder: ``MESHKIN_HOME``, else the platform's folder for a user's application data."""
    if folder := variables.HOME.text:
        return Path(os.path.expanduser(folder))
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "MeshKin"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "MeshKin"
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data if data.is_absolute() else Path.home() / ".local" / "share") / "meshkin"  # as its specification says


def models_folder() -> Path:
    """Return the folder of downloaded models: ``MESHKIN_MODELS``, else ``home()/models``."""
    return Path(os.path.expanduser(variables.MODELS.text or home() / "models"))


def cache_folder() -> Path:
    """Return the folder of computed features and maps: ``MESHKIN_CACHE``, else ``home()/cache``."""
    return Path(os.path.expanduser(variables.CACHE.text or home() / "cache"))


def shared_cache_folder() -> Path | None:
    """Return the folder of a cache of others, which is only read: ``MESHKIN_SHARED_CACHE``; None for none."""
    chosen = variables.SHARED_CACHE.text
    return Path(os.path.expanduser(chosen)) if chosen else None


def bring(path: Path) -> None:
    """Copy a file of the cache from the shared cache, if it is there and not yet here. What fails is left undone."""
    shared, own = shared_cache_folder(), cache_folder()
    if shared is None or shared == own or not path.is_relative_to(own) or path.exists():
        return
    with contextlib.suppress(OSError, StorageError):  # it is not there, the network is gone, or the own disk is full
        content = read_file(shared / path.relative_to(own))
        write_file(path, lambda temporary: temporary.write_bytes(content))


def logs_folder() -> Path:
    """Return the folder of what workers have written to their standard error."""
    return home() / "logs"


def map_path(key: str) -> Path:
    """Return the cache file of the map with this key, whether it exists or not."""
    return cache_folder() / "maps" / f"{key}.npz"


def is_file(path: Path) -> bool:
    """Whether there is a regular file: not a folder, a pipe or a device, and not a path that no system can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def check_replaceable(path: Path) -> None:
    """Raise OSError if there is something at a path that is no regular file and must not be replaced by one."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, "it is no regular file")


def file_name(name: str) -> str:
    """The name of a file or folder, without a suffix, for a thing that users have named: an object, a photo.

    It is the name itself if every system takes that. Otherwise what some system does not take is replaced, and a hash
    of the name follows, so that two names never give one file.
    """
    safe = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", name).strip(" .")
    safe = safe.encode()[:_LONGEST_NAME].decode(errors="ignore").rstrip(" .")
    if safe == name and not _RESERVED.fullmatch(name):
        return name
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).hexdigest()
    return f"{safe or 'unnamed'}-{digest}"


@contextlib.contextmanager
def readable_failure(path: Path, doing: str) -> Iterator[None]:
    """Turn an OSError inside the block into a :class:`StorageError` that names the file and the fix.

    Args:
        path: the file or folder.
        doing: what the block does with it ("writing").
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(doing, path) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                "not-writable", f"No permission for {doing} {path}.", "Choose a folder that you may write to."
            ) from error
        raise StorageError("file-failed", f"Failed while {doing} {path}: {error.strerror or error}.") from error


def disk_full(doing: str, path: Path) -> StorageError:
    """The error for a disk without space; ``doing`` as of :func:`readable_failure`."""
    return StorageError(
        "disk-full", f"There is no space left while {doing} {path}.", "Free some space or choose another folder."
    )


def _umask() -> int:
    """Return the process's file mode creation mask, which the system only tells when it is set."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _mode(path: Path) -> int | None:
    """The permissions of a new folder, and with those to execute also of a new file; None for the usual ones.

    What the cache and the logs tell of a user's work is for that user only, unless the cache's folder is open to
    others, too: then they share what is in it, and its files are as open as the folder.
    """
    if path.is_relative_to(logs_folder()):
        return 0o700
    cache = cache_folder()
    if not path.is_relative_to(cache):
        return None
    if path != cache and sys.platform != "win32":
        with contextlib.suppress(OSError):
            return stat.S_IMODE(cache.stat().st_mode) & 0o777
    return 0o700


def make_folder(path: Path) -> Path:
    """Create ``path`` and its parents; raises StorageError."""
    with readable_failure(path, "making the folder"):
        for folder in (*reversed(path.parents), path):
            if folder != path and folder.exists():
                continue
            mode = _mode(folder)
            try:
                folder.mkdir(0o777 if mode is None else mode)
            except FileExistsError:
                if not folder.is_dir():
                    raise
            else:
                if mode is not None and mode & 0o077:  # others use it, too, whatever this user's habit is
                    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | mode)
    return path


def temporary_prefix(path: Path) -> str:
    """Beginning of a file's name while it is written at this path; eight characters and its suffix follow."""
    return f".{path.stem[:_SHOWN_OF_NAME]}-"


def write_file(path: Path, write: Callable[[Path], object], parents: bool = True) -> None:
    """Write a complete file or none: ``write`` fills a temporary file beside ``path``, which then replaces ``path``.

    With ``parents``, the folder is made if it is missing. Raises StorageError (``disk-full``, ``not-writable``,
    ``file-failed``); an older file at ``path`` then stays, and what is no file, such as a device, always.
    """
    if parents:
        make_folder(path.parent)
    with readable_failure(path, "writing"):
        check_replaceable(path)
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(path), suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            mode = _mode(path)
            temporary.chmod((0o777 & ~_umask() if mode is None else mode) & 0o666)  # temporary files are private
            _replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def read_file(path: Path) -> bytes:
    """The content of a file that others may replace at any time, read at once; raises OSError.

    A network disk may lose what was opened when another machine puts a new file in its place (ESTALE): that is read.
    """
    for _ in range(_READ_TRIES - 1):
        try:
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return path.read_bytes()


def _replace(temporary: Path, path: Path) -> None:
    """Put a file in the place of another, which Windows, here or behind a network disk, refuses while that is read."""
    number = temporary.stat().st_ino
    for last in (*[False] * (_REPLACE_TRIES - 1), True):
        try:
            os.replace(temporary, path)
            return
        except FileNotFoundError:  # a network disk whose answer was lost is asked again, and finds nothing left to do
            if path.exists() and path.stat().st_ino == number:
                return
            raise
        except PermissionError:
            if last:
                raise
            time.sleep(_REPLACE_SECONDS)


def write_arrays(path: Path, arrays: Mapping[str, Any], compressed: bool = False, parents: bool = True) -> None:
    """Write arrays as a complete .npz file or none, see :func:`write_file`.

    The archive is built in memory, because NumPy cannot close an archive after the disk has become full. With
    ``parents``, the file's folder is made if it is missing.
    """
    import numpy as np  # here, because the program that starts the worker has no NumPy

    packed = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(packed, **{**arrays, SEAL: np.array(seal(path, arrays))})
    write_file(path, lambda file: file.write_bytes(packed.getvalue()), parents)


def read_arrays(path: Path, what: str, fix: str) -> dict[str, Any]:
    """Read the arrays that :func:`write_arrays` wrote, by name.

    Args:
        path: the file.
        what: what it is, and
        fix: what makes another; for the error.

    Raises StorageError ``file-damaged`` if the file is missing or damaged, if the arrays are not those that were
    written, or if a file of the cache has been written under another key.
    """
    import numpy as np

    try:
        with np.load(io.BytesIO(read_file(path)), allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        check_seal(str(arrays.pop(SEAL)), path, arrays)
    except UNREADABLE as error:
        raise StorageError("file-damaged", f"{what} {path} cannot be read.", fix) from error
    return arrays


def seal(path: Path, arrays: Mapping[str, Any]) -> str:
    """What to note in a file about its arrays: their checksum and the file's place, by which it is found again."""
    return f"{_checksum(arrays)} {path.parent.name}/{path.stem}"


def check_seal(noted: str, path: Path, arrays: Mapping[str, Any]) -> None:
    """Raise ValueError if a file holds other arrays than :func:`seal` was told, or is another file of the cache."""
    expected = seal(path, arrays)
    if not path.is_relative_to(cache_folder()):  # people may call their files what they like
        noted, expected = noted.split()[0], expected.split()[0]
    if noted != expected:
        raise ValueError("something else was written")


def _checksum(arrays: Mapping[str, Any]) -> str:
    """A checksum of arrays with their names, types and shapes (CRC-32, as ZIP and PNG files have it)."""
    import numpy as np

    total = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total = zlib.crc32(f"{name} {array.dtype.str} {np.shape(arrays[name])}".encode(), total)
        total = zlib.crc32(array.reshape(-1).view(np.uint8).data, total)
    return f"{total:08x}"
