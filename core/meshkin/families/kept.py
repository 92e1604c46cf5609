"""Families on disk: a folder among the models, with the numbers as safetensors and the record as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from ..base.errors import InputError
from ..base.json_data import from_json, to_json
from ..base.storage import UNREADABLE
from ..geometry.arrays import AnyFloats, Singles
from ..models import checking, storing
from ..spectral import pca
from ..spectral.eigenbasis import SpectralMesh
from ..symmetry.mirror_sides import Mirror
from .learning import embed, rows_of
from .network import FamilyNetwork
from .record import FamilyRecord, check_name
from .sides import Reference

LICENSE = "The user's own"
"""What is noted as the license of a family that was learned here."""
_MESH = ("points", "faces", "normals", "mass", "vertex")
"""Arrays of a :class:`SpectralMesh` that its rough mesh has for itself."""


@dataclass(frozen=True)
class Family:
    """A family, ready to be used.

    Attributes:
        record: what is noted of it.
        network: encoder and decoder.
        mean: float32 (C,), taken from the features before they are read.
        components: principal components of the members' features, by which sides are told; None without a reference.
        reference: the shape that says which side is which, None where sides are not told.
    """

    record: FamilyRecord
    network: FamilyNetwork
    mean: Singles
    components: pca.Basis | None
    reference: Reference | None

    def embedded(self, features: AnyFloats, side: AnyFloats) -> Singles:
        """The embedding of features (N, C) with their sides (N,), float32 (N, E); zero where nothing is known."""
        rows = np.asarray(features, np.float32)
        if len(self.mean) != rows.shape[1]:
            raise InputError(
                "family-recipe",
                f"The family “{self.record.name}” reads features of {len(self.mean)} channels, not of {rows.shape[1]}.",
                f"Its features are {self.record.base_name}.",
            )
        known = rows.any(axis=1, keepdims=True)
        read = rows_of(rows - self.mean, side, self.record.side_weight)
        return np.asarray(embed(self.network, read) * known, np.float32)


def store(
    family: Family, replace: bool = False, note: storing.Note | None = None, texts: Mapping[str, str] | None = None
) -> Path:
    """Keep a family among the models; returns its folder.

    Args:
        family: the family.
        replace: whether one of the same name is replaced.
        note: what to note of it as of a model; None for one that was learned here.
        texts: further files by name.

    Raises InputError as :func:`check_name`, StorageError.
    """
    record = family.record

    def fill(folder: Path, work: Path) -> storing.Note:
        (folder / checking.WEIGHTS_FILE).write_bytes(save(_arrays(family)))
        (folder / checking.CONFIG).write_text(json.dumps(to_json(record), indent=1) + "\n", encoding="utf-8")
        for name, text in (texts or {}).items():
            (folder / name).write_text(text + "\n", encoding="utf-8")
        return note or storing.Note(record.name, checking.FAMILY, LICENSE, record.described(), {})

    check_name(record.name, replace)
    return storing.store(record.name, fill)


def load(folder: Path) -> Family:
    """The family in a folder; raises ModelError ``model-damaged``."""
    try:
        record = from_json(FamilyRecord, checking.config(folder))
        arrays = load_file(folder / checking.WEIGHTS_FILE)
        network = FamilyNetwork(record.widths)
        names = network.state_dict()
        network.load_state_dict({name: torch.from_numpy(arrays[name]) for name in names})
        width = record.widths[0] - (1 if record.side_weight else 0)
        mean = arrays.get("mean", np.zeros(width, np.float32))
        components, reference = None, None
        if "reference.points" in arrays:
            components = pca.Basis(*(arrays[f"components.{name}"] for name in ("mean", "components", "scale")))
            reference = _reference(arrays)
    except (*UNREADABLE, InputError) as error:
        raise checking.damaged(folder / checking.WEIGHTS_FILE, f"is no family that can be read ({error})") from error
    return Family(record, network.eval(), mean, components, reference)


def _arrays(family: Family) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        name: value.detach().cpu().numpy() for name, value in family.network.state_dict().items()
    }
    arrays["mean"] = family.mean
    if family.reference is not None and family.components is not None:
        for name in ("mean", "components", "scale"):
            arrays[f"components.{name}"] = getattr(family.components, name)
        mesh, mirror = family.reference.mesh, family.reference.mirror
        assert mesh.rough is not None
        for part, prefix in ((mesh, "reference."), (mesh.rough, "reference.rough.")):
            arrays |= {prefix + name: np.asarray(getattr(part, name)) for name in _MESH}
        for name in ("eigenvalues", "eigenfunctions", "features"):
            arrays[f"reference.{name}"] = getattr(mesh, name)
        for name in ("twin", "symmetric", "eigenvalues", "side"):
            arrays[f"mirror.{name}"] = getattr(mirror, name)
    return {name: _compact(values) for name, values in arrays.items()}


def _compact(values: NDArray[Any]) -> NDArray[Any]:
    """Floats in single precision, whole numbers in 32 bits."""
    kind = np.float32 if np.issubdtype(values.dtype, np.floating) else np.int32
    return np.ascontiguousarray(values, kind)


def _reference(arrays: Mapping[str, NDArray[Any]]) -> Reference:
    def wide(name: str) -> NDArray[Any]:
        values = arrays[name]
        return values.astype(np.float64 if np.issubdtype(values.dtype, np.floating) else np.int64)

    eigenvalues, eigenfunctions = wide("reference.eigenvalues"), wide("reference.eigenfunctions")
    features = arrays["reference.features"]

    def mesh(prefix: str, rows: NDArray[Any], rough: SpectralMesh | None) -> SpectralMesh:
        points, faces, normals, mass, vertex = (wide(prefix + name) for name in _MESH)
        return SpectralMesh(
            points, faces, normals, mass, eigenvalues, eigenfunctions[rows], features[rows], vertex, rough
        )

    rough = mesh("reference.rough.", wide("reference.rough.vertex"), None)
    fine = mesh("reference.", np.arange(len(eigenfunctions)), rough)
    mirror = Mirror(*(wide(f"mirror.{name}") for name in ("twin", "symmetric", "eigenvalues", "side")))
    return Reference(fine, mirror)
