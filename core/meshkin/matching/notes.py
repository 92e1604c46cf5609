"""What a match reports beside its maps: values for programs, and sentences for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..data.surface_map import Match
from .alignment import Alignment
from .confidence import halve


def alignment_notes(
    alignment: Alignment, source_name: str, target_name: str, flip: bool, has_pairs: bool
) -> dict[str, Any]:
    """Return the notes of :class:`meshkin.data.surface_map.Match` about left, right and symmetries.

    Args:
        alignment: of the two shapes.
        source_name, target_name: their names.
        flip: whether the user asked for the other answer.
        has_pairs: whether the user gave point pairs.
    """
    names = source_name, target_name
    sided = alignment.mirrored is not None
    ambiguous = alignment.ambiguous and not (has_pairs or flip)
    several = [name for name, has_several in zip(names, alignment.several, strict=True) if has_several]
    without = [name for name, has_mirror in zip(names, alignment.mirrors, strict=True) if not has_mirror]
    warnings, sentences = [], []
    if ambiguous and sided:
        warnings.append(
            _warning(
                "sides-guessed",
                "Left and right are a guess: if they are exchanged, flip the match or give a point pair.",
            )
        )
    if several:
        text = f"More than one symmetry was found on {_joined(several)}: point pairs say which answer is meant."
        if has_pairs:
            sentences.append(text)
        else:
            warnings.append(_warning("symmetry-guessed", text))
    elif without:
        sentences.append(f"No mirror symmetry was found on {_joined(without)}: matched without it.")
    if flip and not sided:
        sentences.append("So there is nothing to flip.")
    return {
        "orientation": alignment.orientation,
        "orientation_flipped": alignment.mirrored,
        "sided": sided,
        "ambiguous": ambiguous,
        "several_symmetries": several,
        "flipped": flip and sided,
        "warnings": warnings,
        "sentences": _messages(warnings) + sentences,
    }


def with_two_places_noted(match: Match, part: str, whole: str, flip: bool) -> Match:
    """Return a match of a part that fits two places of the whole, with notes that say so.

    Without ``flip``, the user's choice of the other place, the match is ambiguous and its confidence is halved.
    """
    notes = dict(match.notes, ambiguous=not flip, flipped=flip)
    if not flip:
        if not match.notes.get("ambiguous"):
            halve(match)
        place = _warning(
            "place-guessed",
            f"“{part}” fits two places of “{whole}”: flip the match, or give a point pair, if the other is meant.",
        )
        notes["warnings"] = [place, *match.notes.get("warnings", [])]
        notes["sentences"] = [place["message"], *match.notes.get("sentences", [])]
    return replace(match, notes=notes)


def _warning(code: str, message: str) -> dict[str, str]:
    """Return a guess of the match as JSON data; the code is a kebab-case name for programs."""
    return {"code": code, "message": message}


def _messages(warnings: Sequence[dict[str, str]]) -> list[str]:
    return [warning["message"] for warning in warnings]


def _joined(names: list[str]) -> str:
    return " and ".join(f"“{name}”" for name in names)
