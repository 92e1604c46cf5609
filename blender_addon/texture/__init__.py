"""Transfer of textures."""

from . import operators

CLASSES: list[type] = operators.CLASSES
