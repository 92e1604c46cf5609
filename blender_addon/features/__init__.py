"""Features: computed, and shown as colors and pictures."""

from . import operators

CLASSES: list[type] = operators.CLASSES
