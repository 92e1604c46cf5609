"""Data sets: the buttons that make, check and filter them, and their panel."""

from . import operators, panel

CLASSES: list[type] = operators.CLASSES + panel.CLASSES
"""The buttons of data sets and their panel."""
