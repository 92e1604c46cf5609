"""Options that guide a match."""

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
        flip: whether to use the other solution (left and right exchanged, the other place that
            a part fits, or the other side that a photo may show); None
            for the same as in the objects' last match, if its point pairs were the same.
        through: an object of the scene through which others are matched, so that all matches of a set agree.
        joints: whether a match starts from the joints where both characters are posed by armatures of their own with
            the same bones, and somebody has placed them; with ``flip`` it does not.
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
        None,
        "Flip",
        "Use the other solution: left and right exchanged, the other place that a part fits, or the other side that a "
        "photo may show",
        panel=False,
    )
    through: object | None = option(
        None,
        "Through",
        "Reference object of a set: objects are matched through it, so that all matches of the set agree; empty: match "
        "directly",
        metavar="OBJECT",
        panel=False,
    )
    joints: bool = option(
        True,
        "Start from Joints",
        "Start from the joints where both are posed by armatures of their own with the same bones, placed in their "
        "bodies",
        flat="match_joints",
    )
