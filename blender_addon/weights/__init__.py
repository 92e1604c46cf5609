"""Transfer of skinning weights."""

from . import operators

CLASSES: list[type] = operators.CLASSES
