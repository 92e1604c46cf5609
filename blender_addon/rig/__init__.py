"""Armatures, motions and poses."""

from . import operators

CLASSES: list[type] = operators.CLASSES
