"""Published checkpoints read as models of MeshKin: numbers only, every name and shape checked, kept as safetensors."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..base.errors import InputError, ModelError
from ..base.storage import UNREADABLE, is_file
from ..models import checking, head_files, known, storing, torch_files
from . import kept
from .network import FamilyNetwork
from .record import FamilyRecord, check_name

LICENSE_FILE = "LICENSE.txt"
"""The text of a model's license, beside it."""
FAMILY_LICENSE = (
    "The code published with “Surface-Aware Distilled 3D Semantic Features” (Uzolas, Eisemann and Kellnhofer, SIGGRAPH "
    "Asia 2025) is licensed under the GPL-3.0. Its weights come without a license of their own; they were learned from "
    "shapes of SURREAL and SMAL, which may be used for research only."
)
"""What is known of the license of published families where the user says nothing."""
FAMILY_BASE = "diff3f"
"""The features that published families read."""
_FAMILY_NAME = re.compile(
    r"(encoder|decoder)\.net\.(\d+)\.(fc1|fc2|norm1|norm2|block1\.0|block2\.0|block2\.2)\.(weight|bias)"
)
Roles = Mapping[str, Callable[[Path, str, str, bool], tuple[Path, tuple[str, ...]]]]
"""What a checkpoint can be read as, and what reads it: file, name, license and whether to replace."""
_SAME = {"block1.0": "fc1", "block2.0": "fc2", "block2.2": "norm2"}
"""Layers that a published checkpoint holds under two names."""
_EMA = "ema_model."
"""Beginning of the names of a checkpoint's moving average, which is what was evaluated."""
_OTHERS = ("online_model.", "initted", "step")
"""Beginnings of names in such a checkpoint that are left out."""


def import_file(
    file: Path, role: str, name: str, license_text: str, replace: bool, more: Roles | None = None
) -> tuple[Path, tuple[str, ...]]:
    """Read a checkpoint and keep it among the models.

    Args:
        file: a checkpoint of PyTorch, read without running any code in it.
        role: what it is to be read as, one of :data:`ROLES` or of ``more``.
        name: what to call it; "" for the file's name.
        license_text: of the weights; "" for what is known of such weights.
        replace: whether a model of this name and role is replaced.
        more: further roles.

    Returns:
        the model's folder, and what was read, in sentences.

    Raises InputError ``role-unknown``, ``file-missing``, ``family-exists``, ``model-name``; ModelError ``model-wrong``.
    """
    roles = {**ROLES, **(more or {})}
    if role not in roles:
        raise InputError("role-unknown", f"There is no role “{role}”.", f"Choose {', '.join(roles)}.")
    if not is_file(file):
        raise InputError("file-missing", f"There is no file {file}.", "Check the path.")
    return roles[role](file, name or file.stem, license_text, replace)


def family_tensors(state: Mapping[str, Any], file: Path) -> dict[str, torch.Tensor]:
    """The values of a published family by the names of :class:`FamilyNetwork`.

    The moving average is taken where there is one. Each value that is there under two names must be the same under
    both. Raises ModelError ``model-wrong``.
    """
    if any(name.startswith(_EMA) for name in state):
        unknown = [name for name in state if not name.startswith((_EMA, *_OTHERS))]
        state = {name.removeprefix(_EMA): value for name, value in state.items() if name.startswith(_EMA)}
    else:
        unknown = []
    found: dict[str, torch.Tensor] = {}
    for name, value in state.items():
        match = _FAMILY_NAME.fullmatch(name)
        if match is None or not isinstance(value, torch.Tensor) or not value.is_floating_point():
            unknown.append(name)
            continue
        coder, number, layer, kind = match.groups()
        ours = f"{coder}.{number}.{_SAME.get(layer, layer)}.{kind}"
        if ours in found and not torch.equal(found[ours], value):
            raise _wrong(file, f"holds “{name}” with two different values")
        found[ours] = value.float()
    if unknown:
        raise _wrong(file, f"holds “{unknown[0]}”, which no family has")
    return found


def _import_family(file: Path, name: str, license_text: str, replace: bool) -> tuple[Path, tuple[str, ...]]:
    """Read a published family."""
    check_name(name, replace)
    checkpoint = _read(file)
    state = checkpoint.get("model_state_dict", checkpoint)
    if not isinstance(state, Mapping) or not state:
        raise _wrong(file, "holds no values of a network")
    tensors = family_tensors(state, file)
    widths = _widths(tensors, file)
    network = FamilyNetwork(widths)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    for key, shape in wanted.items():
        if key not in tensors:
            raise _wrong(file, f"lacks “{key}”")
        if tuple(tensors[key].shape) != shape:
            raise _wrong(file, f"holds “{key}” of the shape {tuple(tensors[key].shape)} instead of {shape}")
        if not torch.isfinite(tensors[key]).all():
            raise _wrong(file, f"holds values of “{key}” that are not numbers")
    if surplus := sorted(set(tensors) - set(wanted)):
        raise _wrong(file, f"holds “{surplus[0]}”, which no family of these widths has")
    network.load_state_dict(tensors)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = FamilyRecord(name, created, widths, 0.0, None, FAMILY_BASE)
    family = kept.Family(record, network.eval(), None)
    text = license_text or FAMILY_LICENSE
    note = storing.Note(
        name,
        checking.FAMILY,
        text,
        f"Published family, read from {file.name}",
        {"file": file.name, "sha256": checking.sha256(file)},
    )
    folder = kept.store(family, replace, note, {LICENSE_FILE: text})
    layers = "-".join(str(width) for width in widths)
    return folder, (
        f"“{name}” is a family of the layers {layers} that reads features {FAMILY_BASE}.",
        f"License: {text}",
    )


def _import_head(file: Path, name: str, license_text: str, replace: bool) -> tuple[Path, tuple[str, ...]]:
    """Read the published head of "Telling Left from Right"."""
    return head_files.keep_published(_read(file), file, name, license_text, replace)


ROLES: Roles = {
    checking.FAMILY: _import_family,
    known.GEOAWARE_HEAD: _import_head,
}
"""The roles of families and heads."""


def _read(file: Path) -> Mapping[str, Any]:
    """What a checkpoint of PyTorch holds; no code in it is run. Raises ModelError ``model-wrong``."""
    try:
        checkpoint = torch_files.load(file)
    except UNREADABLE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _wrong(file, f"cannot be read as numbers alone ({reason:.200})") from error
    if not isinstance(checkpoint, Mapping):
        raise _wrong(file, "holds no values of a network")
    return checkpoint


def _widths(tensors: Mapping[str, torch.Tensor], file: Path) -> tuple[int, ...]:
    """The widths of the encoder, by its weights."""
    widths: list[int] = []
    while (weight := tensors.get(f"encoder.{len(widths)}.fc2.weight")) is not None and weight.ndim == 2:
        widths.append(int(weight.shape[1]))
        last = int(weight.shape[0])
    if not widths:
        raise _wrong(file, "holds no encoder of a family")
    return (*widths, last)


def _wrong(file: Path, what: str) -> ModelError:
    return ModelError("model-wrong", f"{file} {what}.", "Use a checkpoint of the published code, as it was downloaded.")
