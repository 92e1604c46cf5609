"""Options of skin weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...base.options import Choice, Text, option
from ...base.sides import parse_table

WeightMethod = Literal["auto", "map", "features"]
"""How weights come over between two bodies: through the map; read off the features by a small model that is learned on
the source; or "auto": through the map, and where more than half of the vertices would have to be inpainted, the one
that does better on held-out patches of the source."""

NEARNESS = (
    Choice("auto", "Automatic", "Where the target lies on the source: clothes, hair, eyes"),
    Choice("always", "Nearest Point", "Always from the nearest point that faces the same way"),
    Choice("never", "Match", "Always through the match"),
)
WAYS = (
    Choice("auto", "Automatic", "The match; where it is doubtful, whichever does better on parts of the source"),
    Choice("map", "Match", "Through the match"),
    Choice("features", "Features", "Learned on the source from its features; for shapes without a good match"),
)
GROUPS = (
    Choice("deform", "Deforming Bones", "Groups of deforming bones; all groups where no armature poses the source"),
    Choice("all", "All", "Every vertex group"),
    Choice("selected", "Selected Bones", "Groups of the bones selected in the source's armature"),
    Choice("active", "Active", "The active vertex group"),
)


def _renames(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_table(text).items())


def _written_renames(renames: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{old} = {new}" for old, new in renames)


@dataclass(frozen=True)
class WeightOptions:
    """How skin weights are carried."""

    limit: int = option(4, "Limit", "Most vertex groups that a vertex may be weighted to", least=1, most=32)
    smoothing: int = option(
        0, "Smoothing", "How often each vertex's weights are averaged with its neighbors'",
        least=0, most=100, soft_most=20,
    )  # fmt: skip
    threshold: float = option(
        0.4, "Threshold", "Confidence from which the match is relied on for weights; the rest is inpainted",
        least=0, most=1, unit="FACTOR",
    )  # fmt: skip
    nearness: str = option(
        "auto", "Nearness", "Whether weights come from the nearest point of the source instead of the match",
        choices=NEARNESS,
    )  # fmt: skip
    method: WeightMethod = option(
        "auto", "Way", "How weights come over where they do not come by nearness", flat="way", choices=WAYS
    )
    groups: str = option("deform", "Groups", "Which of the source's vertex groups are carried", choices=GROUPS)
    pattern: str = option("", "Names", "Only groups whose names fit, as in DEF-*; several between spaces")
    rename: tuple[tuple[str, str], ...] = option(
        (), "Rename", "Groups that are called otherwise on the target: old = new, several between commas",
        text=Text(_renames, _written_renames, "arm.L = LeftArm, arm.R = RightArm"), metavar="OLD=NEW,…",
    )  # fmt: skip
    mix: float = option(
        1.0,
        "Mix",
        "How much of the new weights is taken; the rest are the target's own",
        least=0,
        most=1,
        unit="FACTOR",
    )
    mask: str = option("", "Mask", "Vertex group of the target that limits where weights are written", metavar="GROUP")
    mirrored: bool = option(True, "Both Sides", "Create the empty group of the other side too, as mirroring needs")
