"""Features: the buttons that compute them and show them as colors and pictures."""

from . import operators

CLASSES: list[type] = operators.CLASSES
