"""Matches: the buttons that compute them, guide them with point pairs, and show them."""

from . import display, operators, pairs, panel

CLASSES: list[type] = [*display.CLASSES, *operators.CLASSES, *pairs.CLASSES, *panel.CLASSES]
