"""Options of a match: what guides it."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.options import option
from ..data.point_pairs import Pairs


@dataclass(frozen=True)
class MatchOptions:
    """What guides a match.

    Attributes:
        pairs: point pairs, each a vertex number of the source's own mesh and one of the target's, or points in their
            own coordinates; None for the empties in the scene (:mod:`meshkin.scene.mesh.pairs`), () for none.
        flip: whether to take the other answer (mirrored, or the other place that a part fits); None for what it was
            when the two were last matched, if the point pairs are still the same.
        through: an object of the scene that others are matched through, so that all of a set agree.
    """

    pairs: Pairs | None = option(
        None,
        "Point Pairs",
        "File of point pairs, as JSON or as rows: vertex numbers or coordinates, source first; default: the empties "
        "“Kin …” of .blend files",
        metavar="FILE",
        panel=False,
    )
    flip: bool | None = option(
        None, "Flip", "Take the other answer: left for right, or a part's other place", panel=False
    )
    through: object | None = option(
        None,
        "Through",
        "Reference of a set: every match goes by way of it, so that all of the set agree; empty: directly",
        metavar="OBJECT",
        panel=False,
    )
