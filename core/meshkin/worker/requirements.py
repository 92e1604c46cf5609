"""The libraries that the worker needs, from one list, and which of them an interpreter lacks.

Standard library only: this runs inside Blender, and in an interpreter that has nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

FILE = Path(__file__).with_name("requirements.txt")
"""The list, as pip reads it."""


def read() -> list[str]:
    """The libraries that the worker needs, as pip's requirement lines."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def names(lines: Iterable[str]) -> list[str]:
    """The libraries' names, out of pip's requirement lines."""
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines]


def versions(folders: Sequence[str] | None = None) -> dict[str, str]:
    """For each library that the worker needs, the version that is installed; "" for one that is missing.

    Args:
        folders: where to look; None for everywhere that this interpreter imports from.
    """
    path = sys.path if folders is None else list(folders)
    return {name: _version(name, path) for name in names(read())}


def missing(folders: Sequence[str] | None = None) -> list[str]:
    """The libraries that the worker needs and that are not installed; ``folders`` as of :func:`versions`."""
    return [name for name, version in versions(folders).items() if not version]


def _version(name: str, path: list[str]) -> str:
    distributions = iter(metadata.Distribution.discover(name=name, path=path))
    distribution = next(distributions, None)
    return (distribution and distribution.metadata["Version"]) or ""  # what is left of a removed library has none
