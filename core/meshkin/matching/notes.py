"""What a match reports beside its maps: values for programs, and sentences for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..data.surface_map import Match
from .alignment import Alignment
from .confidence import scale_confidence
from .laying import Laying
from .surfaces import Guidance


def match_notes(
    alignment: Alignment, laying: Laying, source_name: str, target_name: str, guidance: Guidance
) -> dict[str, Any]:
    """Return the notes of :class:`meshkin.data.surface_map.Match` about sides and symmetries.

    Args:
        alignment: of the two shapes.
        laying: how one was laid onto the other.
        source_name, target_name: their names.
        guidance: the user's point pairs, and whether the other answer was asked for.
    """
    names = source_name, target_name
    several = [name for name, has_several in zip(names, alignment.several, strict=True) if has_several]
    guided = guidance.flip or len(guidance.pairs) > 0
    sides_guessed = alignment.ambiguous and not laying.upright and not several
    warnings, sentences = [], []
    if sides_guessed and not guided:
        text = "Left and right are a guess: if they are exchanged, flip the match or give a point pair."
        warnings.append(_warning("sides-guessed", text))
    if several:
        text = f"More than one symmetry was found on {_joined(several)}: point pairs say which answer is meant."
        if len(guidance.pairs):
            sentences.append(text)
        else:
            warnings.append(_warning("symmetry-guessed", text))
    elif laying.rivals and not guided:
        text = (
            f"“{source_name}” lies about as well on “{target_name}” in another way: if it is turned around, flip the"
            " match or give a point pair."
        )
        warnings.append(_warning("turn-guessed", text))
    orientation, flipped = alignment.orientation, alignment.mirrored
    if guidance.flip and flipped is not None:
        orientation, flipped = flipped, orientation
    return {
        "orientation": orientation,
        "orientation_flipped": flipped,
        "distance": laying.distance,
        "strain": laying.strain,
        "form_distance": laying.form_distance,
        "sided": alignment.mirrored is not None,
        "ambiguous": bool(several or laying.rivals or sides_guessed) and not guided,
        "several_symmetries": several,
        "flipped": guidance.flip,
        "warnings": warnings,
        "sentences": _messages(warnings) + sentences,
    }


def joint_notes(laying: Laying) -> dict[str, Any]:
    """Return the notes of a match that the joints of both armatures have led: nothing is a guess."""
    return {
        "by_joints": True,
        "distance": laying.distance,
        "strain": laying.strain,
        "ambiguous": False,
        "flipped": False,
        "warnings": [],
        "sentences": ["The joints of both armatures led the match."],
    }


def with_two_places_noted(match: Match, part: str, whole: str, flip: bool) -> Match:
    """Return a match of a part that fits two places of the whole, with notes that say so.

    Without ``flip``, the user's choice of the other place, the match is ambiguous and its confidence is halved.
    """
    notes = dict(match.notes, ambiguous=not flip, flipped=flip)
    if flip and match.notes.get("ambiguous"):  # no longer: the user has chosen
        scale_confidence(match, 2)
    if not flip:
        if not match.notes.get("ambiguous"):
            scale_confidence(match, 0.5)
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
