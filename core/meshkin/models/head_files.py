"""Heads kept among the models: those that users learn, and the published one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from ..base.errors import InputError, ModelError
from ..base.json_data import Json, to_json
from . import heads, known, storing
from .checking import CONFIG, WEIGHTS_FILE, sha256
from .storing import Note

LEARNT_LICENSE = "LicenseRef-own"
"""What is noted as the license of a head that users learn from their own meshes: theirs."""
UNKNOWN_LICENSE = "not stated by its authors: ask them before you use it for more than research, or pass it on"
"""What is known of the license of the published head where the user says nothing."""
IGNORED = ("logit_scale", "self_logit_scale")
"""Tensors of the published checkpoint that only its training reads."""


def keep_learnt(state: Mapping[str, torch.Tensor], sizes: heads.HeadSizes, lesson: heads.HeadLesson, name: str) -> Path:
    """Keep a head that was learnt, in place of one of the same name; returns its folder. Raises StorageError."""
    upstream = f"learnt on {lesson.model} from {len(lesson.meshes)} meshes"
    note = Note(name, known.LEARNT_HEAD, LEARNT_LICENSE, upstream, {"model": lesson.model})
    return _keep(state, heads.configuration(sizes, lesson=to_json(lesson)), note)


def keep_published(
    tensors: Mapping[str, Any], file: Path, name: str, license_text: str, replace: bool
) -> tuple[Path, tuple[str, ...]]:
    """Keep the published head.

    Args:
        tensors: what its checkpoint holds.
        file: the checkpoint.
        name: what to call it.
        license_text: of the weights; "" for what is known of it.
        replace: whether a model of this name is replaced.

    Returns:
        The folder, and sentences about what was read.

    Raises InputError ``model-name``, ``model-exists``; ModelError ``model-wrong``; StorageError.
    """
    check_name(name, replace)
    kept = {key: value for key, value in tensors.items() if key not in IGNORED}
    strange = [key for key, value in kept.items() if not isinstance(value, torch.Tensor)]
    problem = f"holds “{strange[0]}”, which is no tensor" if strange else ""
    if not problem:
        problem = heads.difference(heads.PUBLISHED, {key: tuple(value.shape) for key, value in kept.items()})
    if problem:
        fix = "Choose the checkpoint of the aggregation network of “Telling Left from Right”, as it was downloaded."
        raise ModelError("model-wrong", f"{file} is not the published head: it {problem}.", fix)
    license_text = license_text or UNKNOWN_LICENSE
    source: Mapping[str, Json] = {"file": file.name, "sha256": sha256(file)}
    note = Note(
        name, known.GEOAWARE_HEAD, license_text, f"Aggregation network of GeoAware-SC, from {file.name}", source
    )
    state = {key: value.float().contiguous() for key, value in kept.items()}
    folder = _keep(state, heads.configuration(heads.PUBLISHED), note)
    count = sum(value.numel() for value in state.values())
    return folder, (
        f"“{name}” is a head on SD+DINO of {count / 1e6:.2f} million numbers: “form=geoaware; head={name}”.",
        f"License: {license_text}",
    )


def check_name(name: str, replace: bool) -> None:
    """Raise InputError ``model-name``, or ``model-exists`` unless a model of this name is to be replaced."""
    if storing.named_folder(name).exists() and not replace:
        raise InputError("model-exists", f"There is a model “{name}” already.", "Choose another name, or replace it.")


def _keep(state: Mapping[str, torch.Tensor], configuration: Mapping[str, Json], note: Note) -> Path:
    """Keep a head."""

    def fill(folder: Path, work: Path) -> Note:
        save_file(dict(state), folder / WEIGHTS_FILE)
        (folder / CONFIG).write_text(json.dumps(configuration, indent=2) + "\n", encoding="utf-8")
        return note

    return storing.store(note.name, fill)
