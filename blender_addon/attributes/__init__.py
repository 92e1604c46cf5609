"""Attributes and what else lives on a surface."""

from . import operators

CLASSES: list[type] = operators.CLASSES
