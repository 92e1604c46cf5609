"""Models that a user names, or the default ones: where they lie, and which there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import ModelError
from ..base.progress import ProgressCallback, silent
from ..base.storage import models_folder
from .checking import FAMILY, RECORD, Located, kind_in, verify
from .fetching import get_first
from .known import BUNDLES, EMBEDDED, KNOWN, bundle, can_get, find, folder_of
from .storing import kind_noted

GET_FIX = "Run “meshkin models get embedded”, or press “Get Models” in the panel."


def locate(
    kind: str,
    model: str | None = None,
    *,
    online: bool = False,
    report: ProgressCallback = silent,
    bundles: Mapping[str, Sequence[str]] = BUNDLES,
) -> Located:
    """The model of a kind that a user names, or the default one.

    Args:
        kind: what it must be, see :func:`meshkin.models.checking.kind_in`.
        model: a folder, the name of a known model, or a hub id; None for the default: the first known model of this
            kind that lies in the model cache, else, when ``online``, the first that can be fetched.
        online: whether a model that is not there may be fetched.
        report: told about a download; may raise Cancelled.
        bundles: names of several models, one of which the error names as what to fetch.

    Raises:
        ModelError: ``model-missing``, ``model-damaged``, ``model-wrong``; with ``online`` also those of :func:`get`.
    """
    if kind == FAMILY and (model is None or not (folder_of(model).is_dir() or Path(model).expanduser().is_dir())):
        raise _no_family(model)
    if model is not None and Path(model).expanduser().is_dir():
        return verify(Path(model).expanduser(), kind)
    candidates = (
        [model] if model is not None else [known.name for known in KNOWN if known.kind == kind and known.default]
    )
    for name in candidates:
        if folder_of(name).is_dir():
            return verify(folder_of(name), kind)
    if online and (model is None or can_get(model)):
        return verify(folder_of(get_first(candidates, report)), kind)
    if model is not None and can_get(model):
        fix = f"Allow Online Access and start again, or run “meshkin models get {bundle(model, bundles)}”."
        raise ModelError("model-missing", f"The model “{model}” is not there yet.", fix)
    if model is not None:
        fix = "Name a folder that holds one, or a hub id."
        raise ModelError("model-missing", f"There is no model “{model}”.", fix)
    fix = GET_FIX if not candidates or candidates[0] in EMBEDDED else f"Run “meshkin models get {candidates[0]}”."
    raise ModelError("model-missing", f"No model for “{kind}” has been fetched yet.", fix)


def listing(bundles: Mapping[str, Sequence[str]] = BUNDLES) -> list[dict[str, Any]]:
    """The models of the bundles and all others in the model cache, as JSON data.

    Each has ``name``, ``kind``, ``license``, ``upstream``, ``present``, ``ok`` (present and whole), ``problem`` (what
    is wrong, in words), ``fix``, ``get`` (the name to fetch it by), ``folder``, and of the weights ``bytes`` and
    ``sha256``.
    """
    rows = []
    members = [name for names in bundles.values() for name in names]
    for name in dict.fromkeys([*EMBEDDED, *_cached_names(), *members]):
        folder, known = folder_of(name), find(name)
        row: dict[str, Any] = {
            "name": name,
            "kind": known.kind if known else "",
            "license": known.license if known else "",
            "upstream": known.upstream if known else f"https://huggingface.co/{name}",
            "present": folder.is_dir(),
            "folder": str(folder),
            "bytes": sum(path.stat().st_size for path in folder.rglob("*.safetensors")),
            "get": bundle(name, bundles),
        }
        try:
            located = verify(folder, known.kind if known else kind_in(folder))
            row |= {"kind": located.kind, "ok": True, "problem": "", "fix": "", "sha256": located.checksum}
            row["license"] = row["license"] or located.license
        except ModelError as error:
            row |= {"ok": False, "problem": error.message, "fix": error.fix, "sha256": ""}
        rows.append(row)
    return rows


def _cached_names() -> list[str]:
    """Names of the models in the model cache."""
    return sorted(path.parent.name.replace("--", "/") for path in models_folder().glob(f"[!.]*/{RECORD}"))


def _no_family(name: str | None) -> ModelError:
    """The error that a family is not there, or that none was named."""
    known = [each for each in _cached_names() if kind_noted(folder_of(each)) == FAMILY]
    have = f"There are {', '.join(f'“{name}”' for name in known)}." if known else "None has been learned yet."
    if name is None:
        return ModelError("family-missing", "No family is named for the features “family”.", f"Name one. {have}")
    return ModelError("family-missing", f"There is no family “{name}”.", f"Learn it first, or name another. {have}")
