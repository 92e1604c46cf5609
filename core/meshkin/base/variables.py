"""MeshKin's environment variables: what each may be, and an error for what it may not.

The add-on's preferences set most of them, for the library and the worker alike. A variable that is empty is not set.
Those that name what a job needs only sometimes (the worker's Python, Blender, files for downloads) are checked where
they are needed.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from .errors import OptionError

Value = TypeVar("Value")

LEAST_IDLE_SECONDS = 5.0
"""The shortest time without a job after which the worker may end (chosen: a job that has just been sent arrives
before)."""
_PROXY = re.compile(r"((https?|socks[45][ah]?)://)?([^\s/@]*@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:[0-9]{1,5})?/?")
"""A proxy's address: its scheme, a name and password, the host and the port, of which only the host is needed."""


class _Invalid(ValueError):
    """What a variable has to be instead, as the rest of a sentence."""


@dataclass(frozen=True)
class Variable(Generic[Value]):
    """An environment variable.

    Attributes:
        name: its name.
        read: makes a value of its text; raises :class:`_Invalid`.
    """

    name: str
    read: Callable[[str], Value]

    @property
    def text(self) -> str:
        """What it is set to; "" if it is not set."""
        return os.environ.get(self.name, "").strip()

    @property
    def value(self) -> Value | None:
        """Its value, None if it is not set; raises OptionError ``variable-invalid``."""
        if not self.text:
            return None
        try:
            return self.read(self.text)
        except _Invalid as wrong:
            raise OptionError(
                "variable-invalid",
                f"The environment variable {self.name} is “{self.text}”, which is not {wrong}.",
                "Set it to that, or unset it (in Blender: the field in MeshKin’s preferences).",
            ) from None


def _folder(text: str) -> Path:
    """A folder, which need not be there yet."""
    path = _path(text)
    with contextlib.suppress(OSError):  # a name that is too long
        whole = path.absolute()
        if next(each for each in (whole, *whole.parents) if each.exists()).is_dir():
            return path
    raise _Invalid("a folder, or one that can be made")


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise _Invalid("a path: there is no such user") from None


def _folders(text: str) -> tuple[Path, ...]:
    folders = tuple(_path(folder) for folder in text.split(os.pathsep) if folder)
    if not all(map(os.path.isdir, folders)):
        raise _Invalid(f"folders that are there, separated by “{os.pathsep}”")
    return folders


def _bytes(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):  # what fits into 64 bits
        raise _Invalid("a whole number of bytes (0 for no limit)")
    return int(text)


def _idle_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if seconds == 0 or LEAST_IDLE_SECONDS <= seconds <= threading.TIMEOUT_MAX:
        return seconds
    raise _Invalid(f"a number of seconds, at least {LEAST_IDLE_SECONDS:g} (0 for as long as MeshKin is open)")


def _proxy(text: str) -> str:
    if not _PROXY.fullmatch(text):
        raise _Invalid("the address of a proxy, such as http://USER:PASSWORD@HOST:PORT")
    return text if "://" in text else f"http://{text}"


def _compute(text: str) -> str:
    if text in ("own", "service", "ray"):
        return text
    raise _Invalid("“own”, “service” or “ray”")


HOME = Variable("MESHKIN_HOME", _folder)
"""MeshKin's home folder."""
MODELS = Variable("MESHKIN_MODELS", _folder)
"""The folder of downloaded models."""
CACHE = Variable("MESHKIN_CACHE", _folder)
"""The folder of computed features and maps."""
SHARED_CACHE = Variable("MESHKIN_SHARED_CACHE", _folder)
"""The folder of a cache of others, which is only read."""
CACHE_LIMIT = Variable("MESHKIN_CACHE_LIMIT", _bytes)
"""Bytes that the cache may hold; 0 for as many as there is room for."""
EXTRACTORS = Variable("MESHKIN_EXTRACTORS", _folders)
"""Folders of further extractors, separated as in ``PATH``."""
IDLE_SECONDS = Variable("MESHKIN_IDLE_SECONDS", _idle_seconds)
"""Seconds without a job after which the worker ends; 0 for never."""
PROXY = Variable("MESHKIN_PROXY", _proxy)
"""The proxy's URL, for downloads."""
COMPUTE = Variable("MESHKIN_COMPUTE", _compute)
"""What computes: "own" for a worker of this process, "service" for the local service where it runs, "ray" for a worker
of this process that hands to a Ray cluster what takes long."""
RAY = Variable("MESHKIN_RAY", str)
"""Address of that cluster's head; not set for the one that this machine is part of."""
_ALWAYS = (HOME, MODELS, CACHE, SHARED_CACHE, CACHE_LIMIT, EXTRACTORS, IDLE_SECONDS, COMPUTE)


def check() -> None:
    """Raise OptionError ``variable-invalid`` if a variable that every job obeys is set to what it cannot be."""
    for variable in _ALWAYS:
        _ = variable.value
