"""Texts of the interface: in the user's language, and in lines that fit a panel, measured as Blender draws them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import blf
import bpy

from ..translations import SENTENCES

FONT_POINTS = 11
"""Size of Blender's font in panels at scale 1, points (its default style's)."""
MARGIN = 92
"""Pixels at scale 1 of a box's and a panel's borders, the scroll bar, and the space around an icon. Measured at
scale 2, where it is largest."""
PANEL_MARGIN = 55
"""Pixels at scale 1 of a panel's borders, the scroll bar and the tabs. Measured."""
WITHIN_SENTENCE = r"((?:(?!\. ).)*)"
"""Regular expression of what is put into a sentence."""
LEAST_WIDTH = 90
"""Pixels at scale 1: narrower text would be a letter in a line. Chosen."""


def translated(text: str) -> str:
    """Return a text of the interface in the user's language, or as it is if there is no translation."""
    return str(bpy.app.translations.pgettext_iface(text))


def told(text: str) -> str:
    """Return sentences of the library in the user's language: found by what they say apart from the names in them.

    What has no translation stays as it is: a report has more sentences than anybody translates.
    """
    for pattern, template in _patterns(_locale()):
        found = pattern.fullmatch(text)
        if found and (translation := translated(template)) != template:
            quoted = [template[: hole.start()].endswith("“") for hole in re.finditer(r"\{\}", template)]
            parts = [part if name else _listed(part) for part, name in zip(found.groups(), quoted, strict=True)]
            return translation.format(*parts)
    sentences = re.split(r"(?<=\.) ", text)
    return " ".join(map(told, sentences)) if len(sentences) > 1 else text


def told_stage(text: str) -> str:
    """Return what a job is doing in the user's language."""
    known = translated(text)
    return told(text) if known == text else known


def _locale() -> str:
    return str(bpy.app.translations.locale)


@functools.cache
def _patterns(locale: str) -> list[tuple[re.Pattern[str], str]]:
    """The sentences that are translated into a language, each as a pattern that finds it, longest first.

    What is put in does not reach beyond a sentence, but at the end.
    """
    templates = sorted(SENTENCES.get(locale, ()), key=len, reverse=True)
    patterns = []
    for template in templates:
        words = [re.escape(words) for words in template.split("{}")]
        last = r"(.*)" if template.endswith("{}") else rf"{WITHIN_SENTENCE}{words[-1]}"
        patterns.append(WITHIN_SENTENCE.join(words[:-1]) + last if len(words) > 1 else words[0])
    return [(re.compile(pattern, re.DOTALL), template) for pattern, template in zip(patterns, templates, strict=True)]


def _listed(part: str) -> str:
    """Return what a sentence lists (“texture, weights and armature”), or says, in the user's language, if it has it."""
    words = re.split(", | and ", part)
    names = [translated(word.title()) for word in words]
    if all(name != word.title() for name, word in zip(names, words, strict=True)):
        return ", ".join(names)
    return told(part)


def fitting(context: bpy.types.Context, text: str, units: float = 0, count: int = 0) -> list[str]:
    """Return a text in lines that fit beside an icon.

    Args:
        context: Blender's context.
        text: the text.
        units: width of the popover that shows it, in Blender's units of 20 pixels; 0 for the region's width.
        count: most lines; the last one shows that there is more. 0 for any number.
    """
    scale = context.preferences.system.ui_scale
    blf.size(0, FONT_POINTS * scale)
    width = units * 20 * scale if units else context.region.width
    width = max(width - MARGIN * scale, LEAST_WIDTH * scale)

    def measure(line: str) -> float:
        return float(blf.dimensions(0, line)[0])

    lines = wrapped(text, width, measure)
    return shortened(lines, count, width, measure) if count else lines


def fits(context: bpy.types.Context, text: str, share: float, beside: float) -> bool:
    """Return whether a text fits into a part of a panel's width.

    Args:
        context: Blender's context.
        text: the text, translated.
        share: the part, from 0 to 1.
        beside: pixels at scale 1 that stand in this part beside the text.
    """
    scale = context.preferences.system.ui_scale
    blf.size(0, FONT_POINTS * scale)
    room = share * (context.region.width - PANEL_MARGIN * scale) - beside * scale
    return float(blf.dimensions(0, text)[0]) <= room


def shortened(lines: list[str], count: int, width: float, measure: Callable[[str], float]) -> list[str]:
    """Return the first ``count`` lines; where there are more, the last one is filled up and ends with “…”."""
    if len(lines) <= count:
        return lines
    last = " ".join(lines[count - 1 :])
    end = next((end for end in range(len(last), 0, -1) if measure(f"{last[:end]}…") <= width), 1)
    return [*lines[: count - 1], f"{last[:end].rstrip()}…"]


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Return a text in lines of at most this width; a line breaks at a space, and in a long word where it must."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if measure(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            while len(word) > 1 and measure(word) > width:
                fits = next(end for end in range(len(word) - 1, 0, -1) if end == 1 or measure(word[:end]) <= width)
                lines.append(word[:fits])
                word = word[fits:]
            line = word
        lines.append(line)
    return lines
