"""Published LoRAs, and what was learned here, read into the models, where they are known by a name."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from ...base.errors import ModelError
from ...base.json_data import from_json, to_json
from ...families.importing import Roles
from ...models import checking, head_files, storing
from ...models.known import folder_of
from ...models.lora import NamedTensors
from . import files
from .record import LearnedRecord


def import_file(file: Path, name: str, license_text: str, replace: bool) -> tuple[Path, tuple[str, ...]]:
    """Keep a file among the models; returns the folder, and sentences about what was read.

    Raises InputError ``model-name``, ``model-exists``; ModelError ``model-wrong``, ``model-damaged``; StorageError.
    """
    head_files.check_name(name, replace)
    tensors, record = files.read(file)
    license_text = license_text or (head_files.LEARNT_LICENSE if record.target else head_files.UNKNOWN_LICENSE)
    note = storing.Note(
        name,
        checking.PICTURE,
        license_text,
        f"{described(record)}, read from {file.name}",
        {"file": file.name, "sha256": checking.sha256(file)},
    )

    def fill(folder: Path, work: Path) -> storing.Note:
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / checking.WEIGHTS_FILE)
        (folder / checking.CONFIG).write_text(json.dumps(to_json(record), indent=2) + "\n", encoding="utf-8")
        return note

    folder = storing.store(name, fill)
    count = sum(value.numel() for value in tensors.values())
    return folder, (f"“{name}”: {described(record)}, {count / 1e6:.2f} million numbers.", f"License: {license_text}")


def load(name: str) -> tuple[NamedTensors, LearnedRecord]:
    """What a file, or an imported model of a name, holds.

    Raises ModelError ``model-missing``, ``model-damaged``, ``model-wrong``.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return files.read(path)
    folder = folder_of(name)
    if not folder.is_dir():
        fix = "Name a file that “meshkin picture learn” has written, or import one."
        raise ModelError("model-missing", f"There is no file and no imported LoRA “{name}”.", fix)
    checking.verify(folder, checking.PICTURE)
    tensors, _ = files.read_tensors(folder / checking.WEIGHTS_FILE)
    return tensors, from_json(LearnedRecord, checking.config(folder))


def described(record: LearnedRecord) -> str:
    """What was taught, in words."""
    if record.network == "small":
        return "A small network"
    return f"A LoRA on {record.base}" if record.base else "A LoRA on Stable Diffusion"


PICTURE_ROLES: Roles = {checking.PICTURE: import_file}
"""What this reads a checkpoint as."""
