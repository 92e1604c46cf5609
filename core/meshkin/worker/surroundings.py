"""What a job takes from the process that asks for it: the folder that relative paths start from, and variables.

A worker may serve several processes, whose preferences differ. So this goes with each job, and holds while it runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..base import variables
from ..base.network import CERTIFICATES, OFFLINE
from ..base.storage import cache_folder, models_folder

_COPIED = (
    *(CERTIFICATES, OFFLINE),
    *(each.name for each in (variables.SHARED_CACHE, variables.CACHE_LIMIT, variables.PROXY, variables.EXTRACTORS)),
    *(each.name for each in (variables.COMPUTE, variables.RAY)),
)
"""Environment variables that jobs obey, beside those of folders, which have a default."""


@dataclass(frozen=True)
class Surroundings:
    """Where a job is asked for.

    Attributes:
        folder: the current folder; "" if it is gone.
        variables: environment variables that jobs obey; None for one that is not set.
    """

    folder: str = ""
    variables: dict[str, str | None] = field(default_factory=dict)


def here() -> Surroundings:
    """Those of this process."""
    folder = ""
    with contextlib.suppress(OSError):  # it was deleted
        folder = os.getcwd()
    folders = {variables.MODELS.name: str(models_folder()), variables.CACHE.name: str(cache_folder())}
    return Surroundings(folder, {**folders, **{name: os.environ.get(name) for name in _COPIED}})


@contextlib.contextmanager
def applied(surroundings: Surroundings) -> Iterator[None]:
    """Let these be this process's inside the block. They are the process's, not a thread's."""
    before = here()
    _set(surroundings)
    try:
        yield
    finally:
        _set(Surroundings(before.folder, {name: before.variables.get(name) for name in surroundings.variables}))


def _set(surroundings: Surroundings) -> None:
    if surroundings.folder:
        with contextlib.suppress(OSError):  # this process may not enter it; absolute paths work all the same
            os.chdir(surroundings.folder)
    for name, value in surroundings.variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
