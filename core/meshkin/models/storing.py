"""Models put into the model cache: a folder that is there whole or not at all, with a note of what it holds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError
from ..base.json_data import Json
from ..base.storage import UNREADABLE, make_folder, readable_failure
from ..base.temporary import temporary_folder
from .checking import RECORD, checksum_of, verify
from .known import folder_of

UNFINISHED = ".get-"
"""Beginning of the names of folders in the model cache in which models are put together."""
_MODEL_NAME = re.compile(r"\w[\w .-]{0,99}(?<![ .])")
"""A name that users may give to a model: also a folder's name on every system."""


@dataclass(frozen=True)
class Note:
    """What is noted of a model.

    Attributes:
        name: what users call it.
        kind: what it is, see :func:`meshkin.models.checking.kind_in`.
        license: of the weights, SPDX, or in words.
        upstream: what it is and where it comes from, in words.
        source: the same for programs.
    """

    name: str
    kind: str
    license: str
    upstream: str
    source: Mapping[str, Json]


def store(name: str, fill: Callable[[Path, Path], Note]) -> Path:
    """Put a model into the model cache, in place of one of the same name; returns its folder.

    Args:
        name: of the model.
        fill: writes its files into the first folder, a new one, and returns what to note of it; the second one is for
            what does not stay.

    Raises StorageError, ModelError ``model-wrong``, ``model-damaged``; what was there stays then.
    """
    folder = folder_of(name)
    make_folder(folder.parent)
    with readable_failure(folder, "writing"), temporary_folder(folder.parent, UNFINISHED) as work:
        new = work / "model"
        new.mkdir()
        _finish(fill(new, work), new)
        if folder.exists():
            folder.rename(work / "replaced")
        new.rename(folder)
    return folder


def _finish(note: Note, folder: Path) -> None:
    """Write the note of a model whose files are in a folder, and check it; raises as :func:`verify`."""
    record = {
        "name": note.name,
        "kind": note.kind,
        "license": note.license,
        "upstream": note.upstream,
        "source": dict(note.source),
        "sha256": checksum_of(folder, note.kind),
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    verify(folder, note.kind)


def named_folder(name: str) -> Path:
    """The folder of a model by a name of the user's own; raises InputError ``model-name``."""
    if not _MODEL_NAME.fullmatch(name):
        fix = "Use letters, digits, spaces, -, _ and ., a hundred at most."
        raise InputError("model-name", f"“{name}” is no name for a model.", fix)
    return folder_of(name)


def kind_noted(folder: Path) -> str:
    """The kind that is noted of a model in a folder; "" where nothing is."""
    try:
        return str(json.loads((folder / RECORD).read_text(encoding="utf-8")).get("kind", ""))
    except (*UNREADABLE, RecursionError):
        return ""
