"""Options of skinning weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...base.names import cut_apart
from ...base.options import Choice, Text, option, quoted
from ...base.sides import parse_table

WeightMethod = Literal["auto", "map", "joints", "features"]
"""How weights are transferred between two bodies.

"map": through the map. "joints": from the nearest point, the source posed until its joints lie where the target's own
armature has them. "features": read from the features by a small model that is trained on the source. "auto": by the
joints if somebody has placed them; else through the map; if more than half of the vertices would have to be inpainted,
the method that does better on held-out patches of the source."""

NEARNESS_CHOICES = (
    Choice(
        "auto",
        "Automatic",
        "The nearest point if the target lies on the source, as clothes, hair and eyes do; otherwise the match",
    ),
    Choice("always", "Nearest Point", "Always the nearest point that faces the same way"),
    Choice("never", "Match", "Always the match"),
)
METHOD_CHOICES = (
    Choice(
        "auto",
        "Automatic",
        "The joints if the target has an armature of its own with the same bones, placed by hand or corrected; "
        "else the match",
    ),
    Choice("map", "Match", "Through the match"),
    Choice(
        "joints",
        "Joints",
        "Pose the source until its joints lie where the target's own armature has them, then take the nearest point; "
        "no match is needed",
    ),
    Choice("features", "Features", "Learn weights on the source from its features; for shapes without a good match"),
)
GROUP_CHOICES = (
    Choice("deform", "Deforming Bones", "Groups of deforming bones; all groups if no armature poses the source"),
    Choice("all", "All", "Every vertex group"),
    Choice("selected", "Selected Bones", "Groups of the bones selected in the source's armature"),
    Choice("active", "Active", "The active vertex group"),
)


def _renames(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(parse_table(text).items())


def _written_renames(renames: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(" = ".join(quoted(name, "\n;,=") for name in pair) for pair in renames)


@dataclass(frozen=True)
class WeightOptions:
    """How skinning weights are transferred."""

    limit: int = option(4, "Limit", "Maximum number of vertex groups that a vertex is assigned to", least=1, most=32)
    smoothing: int = option(
        0, "Smoothing", "How many times each vertex's weights are averaged with its neighbors'",
        least=0, most=100, soft_most=20,
    )  # fmt: skip
    threshold: float = option(
        0.4, "Threshold", "Lowest confidence at which the match is used for weights; the rest is inpainted",
        least=0, most=1, unit="FACTOR",
    )  # fmt: skip
    nearness: str = option(
        "auto", "Nearness", "Whether weights come from the nearest point of the source or from the match",
        choices=NEARNESS_CHOICES,
    )  # fmt: skip
    method: WeightMethod = option(
        "auto",
        "Method",
        "How weights are transferred if they do not come from the nearest point",
        flat="way",
        choices=METHOD_CHOICES,
    )
    groups: str = option("deform", "Groups", "Vertex groups of the source to transfer", choices=GROUP_CHOICES)
    pattern: str = option(
        "",
        "Name Pattern",
        "Transfer only groups whose names match, such as DEF-*; separate several patterns with spaces",
    )
    rename: tuple[tuple[str, str], ...] = option(
        (), "Rename", "Names of groups that differ on the target, as old = new; separate several with commas",
        text=Text(_renames, _written_renames, "arm.L = LeftArm, arm.R = RightArm"), metavar="OLD=NEW,…",
    )  # fmt: skip
    mix: float = option(
        1.0,
        "Mix",
        "Share of the new weights; the rest are the target's own",
        least=0,
        most=1,
        unit="FACTOR",
    )
    mask: str = option("", "Mask", "Vertex group of the target that limits where weights are written", metavar="GROUP")
    mirrored: bool = option(
        True, "Both Sides", "Also create the empty group of the opposite side, which mirroring needs"
    )

    @property
    def new_names(self) -> dict[str, str]:
        """The table of new names, as Blender cuts them: groups and bones of one name stay together."""
        names = cut_apart(new for _, new in self.rename)
        return {old: names[new] for old, new in self.rename}
