"""What a match gives reason to doubt: remarks for the report of every job that uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.surface_map import Match
from .options import Remark, ResultWarning

LOW_CONFIDENCE = 0.7
"""Mean confidence below which a match is called poor (chosen on the pairs of tests/benchmarks/characters.py: people in
clothes and armor have 0.78 to 0.98, a person and a giant-headed bunny 0.31, two dinosaurs 0.35, a horse and a panda
0.64). A map that is wrong as a whole may have more."""
UNLIKE_STRAIN = 0.07
"""Strain of a match (mean absolute logarithm of how edges are stretched from one body to the other) from which where a
joint lies is a guess. Measured on the 34 pairs of tests/benchmarks/characters.py: 0.02 to 0.055 between people, with
clothes and in armor, and between alike animals, whose skinning weights differ from the artist's by 0.04 to 0.52 (L1);
0.072 to 0.24 between other species, giant heads and people, and dinosaurs, by 0.43 to 1.5; 0.0655 between the
characters of *Try It*, whose joints are found to 2 % of the height."""
REPORTED_FOLDED_SHARE = 0.02
"""Share of the surface that a displacement or a pose moves, from which it is worth a warning that it folds. Chosen."""
WARNED_OVERLAP = 0.05
"""Share of the UV map that lies over other parts of it, from which the report says so (chosen)."""


def mean_confidence(match: Match) -> float:
    """The mean over the target's vertices, in [0, 1]."""
    return float(match.to_source.confidence.mean())


def confidence_sentence(match: Match) -> str:
    """Says how sure a match is."""
    return f"The match's confidence is {mean_confidence(match):.0%} on average."


def match_remarks(match: Match) -> list[Remark]:
    """What a match guesses, whether its confidence is low, and what else its notes say."""
    mean = mean_confidence(match)
    warnings = [ResultWarning(each["code"], each["message"]) for each in match.notes.get("warnings", [])]
    told = {warning.message for warning in warnings}
    # It is halved where a guess was made, which is no sign of a poor match but between bodies that look unlike.
    is_halved = match.notes.get("ambiguous") and match.notes.get("form_distance") is None
    if mean * (2 if is_halved else 1) < LOW_CONFIDENCE:
        warnings.append(
            ResultWarning(
                "low-confidence",
                f"The match is poor: its confidence is {mean:.0%} on average. Look at it (Same Color, Confidence); "
                "point pairs help.",
            )
        )
    return [*warnings, *(text for text in match.notes.get("sentences", []) if text not in told)]


def unlike_warnings(match: Match) -> list[Remark]:
    """Says that joints are a guess, of weights and armatures between bodies that are built unlike each other."""
    if match.notes.get("by_joints") or match.notes.get("strain", 0.0) < UNLIKE_STRAIN:
        return []
    text = (
        "The two bodies are built unlike each other: on which limb a joint lies is known, but where exactly is a "
        "guess. Pose the target, and look at its joints. If you correct them, transfer the weights again: they follow "
        "the armature."
    )
    return [ResultWarning("unlike-bodies", text)]


def fold_warnings(shares: Mapping[str, float]) -> list[Remark]:
    """Warnings about what folds much of the surface that it moves: the share of each by its name."""
    return [
        ResultWarning("surface-folded", f"{name} folds {share:.1%} of what it moves over itself: look at it.")
        for name, share in shares.items()
        if share > REPORTED_FOLDED_SHARE
    ]


def overlap_warning(share: float) -> ResultWarning:
    """Says that a share of a UV map lies over other parts of it."""
    text = (
        f"{share:.0%} of the UV map lies over other parts of it, which get the same colors. "
        "Make a UV map without overlaps for colors of their own."
    )
    return ResultWarning("uvs-overlap", text)


def match_data(file: Path, match: Match) -> dict[str, Any]:
    """What reports say about a match to programs."""
    return {"map": str(file), "confidence": mean_confidence(match), "notes": match.notes}
