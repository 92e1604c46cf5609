"""Families: the buttons that learn one and choose one as features, and their panel."""

from . import operators, panel

CLASSES: list[type] = operators.CLASSES + panel.CLASSES
"""The buttons of families and their panel."""
