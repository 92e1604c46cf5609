"""Families on disk: a folder among the models, with the numbers as safetensors and the record as JSON beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
from ..data.snapshot import Snapshot
from ..geometry.arrays import AnyFloats, Singles, unit_rows
from ..models import checking, storing
from ..spectral import pca
from .handedness import Forms, SideReader, field_width
from .learning import embed
from .network import FamilyNetwork
from .record import FamilyRecord, check_name
from .rows import row_width, rows_alone, surface_rows, with_side
from .sides import SIDE_COMPONENTS, SpectralShape, side_beside

LICENSE = "The user's own"
"""What is noted as the license of a family that was learned here."""
ROWS_WEIGHT = 1.0
"""Of the rows that the network reads beside what it makes of them, unit vectors, in a family's features. Measured,
nearest neighbor on six pairs of animals without, with 0.3, 0.6 and 1.2 times the rows: 10.5, 9.1, 8.6 and 8.1; right
bone between species .78, .83, .86 and .86; up to the mirror image on three pairs of people 17.2, 16.5, 16.4 and 18.2.
Of the rows alone: 9.7, .86 and 19.7. The network tells poses of what it has seen; species that it has not, it does not.
"""


@dataclass(frozen=True)
class Family:
    """A family, ready to be used.

    Attributes:
        record: what is noted of it.
        network: encoder and decoder.
        components: principal components of the members' features, of which rows are made; None for one that reads the
            features as they are, as published.
        sides: what reads sides; None where they are not told.
    """

    record: FamilyRecord
    network: FamilyNetwork
    components: pca.Basis | None
    sides: SideReader | None = None

    def of_surface(self, shape: Snapshot, features: AnyFloats, tick: Callable[[], None]) -> Singles:
        """The family's features of a shape, float32 (V, E); zero where nothing is known.

        Args:
            shape: the mesh.
            features: (V, C), of its vertices.
            tick: is called in every round; may raise Cancelled.
        """
        self._check_width(features)
        if self.components is None:
            return self.of_cells(features)
        spectral = SpectralShape.of(shape, features, self.components)
        side = side_beside(spectral, self.sides, tick)
        return self._read(with_side(surface_rows(spectral, features, self.components), side), features)

    def of_cells(self, features: AnyFloats) -> Singles:
        """The family's features where the surface is not known, as of a photograph: (N, C) in, float32 (N, E) out."""
        self._check_width(features)
        if self.components is None:
            return self._read(unit_rows(np.asarray(features, np.float32)), features)
        return self._read(with_side(rows_alone(features, self.components), np.zeros(len(features))), features)

    def _read(self, rows: Singles, features: AnyFloats) -> Singles:
        embedded = embed(self.network, rows)
        if self.components is not None:
            embedded = unit_rows(np.hstack((embedded, ROWS_WEIGHT * rows)))
        return np.asarray(embedded * np.asarray(features).any(axis=1, keepdims=True), np.float32)

    def _check_width(self, features: AnyFloats) -> None:
        width = self.record.widths[0] if self.components is None else len(self.components.mean)
        if width != np.shape(features)[1]:
            raise InputError(
                "family-recipe",
                f"The family “{self.record.name}” reads features of {width} channels, not of {np.shape(features)[1]}.",
                f"Its features are {self.record.base_name}.",
            )


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
        components: pca.Basis | None = None
        sides: SideReader | None = None
        if record.side_weight:
            components = pca.Basis(*(arrays[f"components.{name}"] for name in ("mean", "components", "scale")))
        if "sides.axes" in arrays:
            axes, scale, weights = (arrays[f"sides.{name}"].astype(np.float64) for name in ("axes", "scale", "weights"))
            sides = SideReader(Forms(axes, scale), weights)
        if components is not None:
            count = components.components.shape[1]
            other_fields = sides is not None and len(sides.forms.axes) != field_width(min(count, SIDE_COMPONENTS))
            if other_fields or record.widths[0] != row_width(count) + 1:
                raise InputError("family-recipe", "it reads other rows", "Learn it again.")
    except (*UNREADABLE, InputError) as error:
        raise checking.damaged(folder / checking.WEIGHTS_FILE, f"is no family that can be read ({error})") from error
    return Family(record, network.eval(), components, sides)


def _arrays(family: Family) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {
        name: value.detach().cpu().numpy() for name, value in family.network.state_dict().items()
    }
    if family.components is not None:
        for name in ("mean", "components", "scale"):
            arrays[f"components.{name}"] = getattr(family.components, name)
    if family.sides is not None:
        forms = family.sides.forms
        arrays |= {"sides.axes": forms.axes, "sides.scale": forms.scale, "sides.weights": family.sides.weights}
    return {name: np.ascontiguousarray(values, np.float32) for name, values in arrays.items()}
