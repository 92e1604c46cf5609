"""The main panel, its settings, and the buttons that pick source and target."""

from ..base import members
from . import operators, panel, presets, settings

CLASSES: list[type] = [
    *members.CLASSES,
    settings.SceneSettings,
    *presets.CLASSES,
    *panel.CLASSES,
    *operators.CLASSES,
]
