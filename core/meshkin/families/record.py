"""What is noted of a family beside its numbers. Nothing here needs more than the standard library: Blender reads it."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Literal

from ..base.errors import InputError
from ..base.json_data import from_json
from ..base.storage import UNREADABLE, models_folder
from ..data.recipe import Recipe
from ..models import storing
from ..models.checking import CONFIG, FAMILY, FAMILY_TYPE

FEWEST_SHAPES, MOST_SHAPES = 2, 100
"""Shapes of a family. Chosen: one shape teaches nothing about others, and a hundred are as many as was published."""
_BARS = "▁▂▃▄▅▆▇█"
"""Characters of rising height."""
_DRAWN = 14
"""Bars of a curve at most. Chosen: they fit into a sidebar of the usual width."""


@dataclass(frozen=True)
class Curve:
    """How the losses fell.

    Attributes:
        steps: after which the losses were computed.
        reconstruction, distance: of the shapes learned from, means since the step before.
        held_out: the distance loss of the held-out shapes; empty without any.
    """

    steps: list[int] = field(default_factory=list)
    reconstruction: list[float] = field(default_factory=list)
    distance: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)

    @property
    def checked(self) -> list[float]:
        """The distance loss by which the family is judged: of the held-out shapes, where there are some."""
        return self.held_out or self.distance

    def drawn(self) -> str:
        """The loss by which the family is judged as a line of bars, and its first and last value."""
        values = self.checked
        if not values:
            return ""
        top = max(values) or 1.0
        width = min(len(values), _DRAWN)
        ends = [len(values) * bar // width for bar in range(width + 1)]
        means = [sum(values[one:two]) / (two - one) for one, two in itertools.pairwise(ends)]
        bars = "".join(_BARS[min(int(mean / top * len(_BARS)), len(_BARS) - 1)] for mean in means)
        return f"{values[0]:.3f} {bars} {values[-1]:.3f}"


@dataclass(frozen=True)
class MemberNote:
    """A shape that a family was learned from.

    Attributes:
        name: of the object.
        shape: its :attr:`meshkin.data.snapshot.Snapshot.key`.
        held_out: whether the result was only checked on it.
        sided: whether its left was told from its right.
    """

    name: str
    shape: str
    held_out: bool
    sided: bool


@dataclass(frozen=True)
class FamilyRecord:
    """All that is known of a family but its numbers.

    Attributes:
        model_type: tells a family from other models.
        name: of the family.
        created: day and time, as in ISO 8601.
        widths: of the encoder's layers, from the input to the embedding.
        side_weight: of the side beside the features, the last number of a row; 0 where rows have none.
        base: how the features that it reads are made; None where that is not known, of an imported family.
        base_name: what these features are called.
        members: the shapes that it was learned from.
        curve: how the losses fell.
        plateau: whether they had stopped falling too early: the features do not tell repeated parts apart.
    """

    name: str
    created: str
    widths: tuple[int, ...]
    side_weight: float
    base: Recipe | None
    base_name: str
    members: tuple[MemberNote, ...] = ()
    curve: Curve = field(default_factory=Curve)
    plateau: bool = False
    model_type: Literal["meshkin-family"] = FAMILY_TYPE

    def described(self) -> str:
        """A sentence: what it was learned from, and from which features."""
        if not self.members:
            return f"imported, reads features {self.base_name}"
        held_out = sum(member.held_out for member in self.members)
        checked = f", {held_out} of them to check" if held_out else ""
        return f"{len(self.members)} shapes{checked}, features {self.base_name}, {self.created[:10]}"


def listing() -> list[FamilyRecord]:
    """The families in the folder of models, by name; what cannot be read is left out."""
    found = []
    for path in sorted(models_folder().glob(f"[!.]*/{CONFIG}")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(data, dict) and data.get("model_type") == FAMILY_TYPE:
                found.append(from_json(FamilyRecord, data))
        except (*UNREADABLE, InputError, RecursionError):
            continue
    return found


def check_name(name: str, replace: bool) -> None:
    """Raise InputError ``model-name``, ``family-exists`` where a family cannot be kept under a name.

    Args:
        name: of the family.
        replace: whether a family that has it already is to be replaced.
    """
    folder = storing.named_folder(name)
    if folder.is_dir():
        is_family = storing.kind_noted(folder) == FAMILY
        if not (is_family and replace):
            what, fix = ("A family", ", or replace it.") if is_family else ("Another model", ".")
            raise InputError("family-exists", f"{what} is called “{name}” already.", f"Choose another name{fix}")


def check_count(count: int) -> None:
    """Raise InputError ``family-few``, ``family-many`` where so many shapes make no family."""
    if count < FEWEST_SHAPES:
        fix = f"Choose at least {FEWEST_SHAPES} different shapes of one kind."
        raise InputError("family-few", "A family is learned from several different shapes, not from one.", fix)
    if count > MOST_SHAPES:
        raise InputError("family-many", f"{count} shapes are too many for a family.", f"Choose {MOST_SHAPES} at most.")
