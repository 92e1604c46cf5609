"""Matches: the buttons that compute them, guide them with point pairs, and show them."""

from . import display, fixing, operators, pairs, panel

CLASSES: list[type] = [*display.CLASSES, *operators.CLASSES, *fixing.CLASSES, *pairs.CLASSES, *panel.CLASSES]
