"""Matches: made, guided by point pairs, looked at."""

from . import display, operators, pairs, panel

CLASSES: list[type] = [*display.CLASSES, *operators.CLASSES, *pairs.CLASSES, *panel.CLASSES]
