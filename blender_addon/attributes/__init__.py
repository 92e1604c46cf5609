"""Transfer of attributes, face materials, UV maps, shape keys, sculpted detail and hair."""

from . import operators

CLASSES: list[type] = operators.CLASSES
