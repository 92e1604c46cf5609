"""Parts: the button that cuts objects into parts, and its panel."""

from . import operators, panel

CLASSES: list[type] = operators.CLASSES + panel.CLASSES
