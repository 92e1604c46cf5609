"""Paint: the button that paints the target's texture from words."""

from . import operators, panel

CLASSES: list[type] = [*operators.CLASSES, *panel.CLASSES]
