"""Transfer of armatures, motions and poses."""

from . import operators

CLASSES: list[type] = operators.CLASSES
