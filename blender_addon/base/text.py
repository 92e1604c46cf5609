"""Texts in lines that fit a panel, measured as Blender draws them."""

from __future__ import annotations

from collections.abc import Callable

import blf
import bpy

FONT_POINTS = 11
"""Size of Blender's font in panels at scale 1, points (its default style's)."""
MARGIN = 92
"""Pixels at scale 1 of a box's and a panel's borders, the scroll bar, and the space around an icon. Measured at
scale 2, where it is largest."""
PANEL_MARGIN = 55
"""Pixels at scale 1 of a panel's borders, the scroll bar and the tabs. Measured."""
LEAST_WIDTH = 90
"""Pixels at scale 1: narrower text would be a letter in a line. Chosen."""


def translated(text: str) -> str:
    """Return a text of the interface in the user's language, or as it is if there is no translation."""
    return str(bpy.app.translations.pgettext_iface(text))


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
