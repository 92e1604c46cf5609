"""Skin weights."""

from . import operators

CLASSES: list[type] = operators.CLASSES
