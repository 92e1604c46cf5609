"""Video: the button that makes an action of one."""

from . import operators, panel

CLASSES: list[type] = [*operators.CLASSES, *panel.CLASSES]
"""The button that lets the target's armature follow a video."""
