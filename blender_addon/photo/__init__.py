"""Photos: the buttons that match one to the target and make a texture of it."""

from . import operators, panel

CLASSES: list[type] = [*operators.CLASSES, *panel.CLASSES]
