"""Transfer of textures."""

from . import operators, panel

CLASSES: list[type] = [*operators.CLASSES, *panel.CLASSES]
