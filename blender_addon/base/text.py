"""Texts in lines that fit a panel, measured as Blender draws them."""

from __future__ import annotations

from collections.abc import Callable

import blf
import bpy

FONT_POINTS = 11
"""Size of Blender's font in panels at scale 1, points (its default style's)."""
MARGIN = 84
"""Pixels at scale 1 of a box's and a panel's borders, the scroll bar, and the space around an icon. Measured."""
LEAST_WIDTH = 90
"""Pixels at scale 1: narrower text would be a letter in a line. Chosen."""


def fitting(context: bpy.types.Context, text: str, units: float = 0) -> list[str]:
    """Return a text in lines that fit beside an icon: in the region, or in a popover of so many units of 20 pixels."""
    scale = context.preferences.system.ui_scale
    blf.size(0, FONT_POINTS * scale)
    width = units * 20 * scale if units else context.region.width
    width = max(width - MARGIN * scale, LEAST_WIDTH * scale)
    return wrapped(text, width, lambda line: float(blf.dimensions(0, line)[0]))


def shortened(lines: list[str], count: int) -> list[str]:
    """Return the first ``count`` lines, the last of which shows that there are more."""
    return lines if len(lines) <= count else [*lines[: count - 1], f"{lines[count - 1][:-1].rstrip()}…"]


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
