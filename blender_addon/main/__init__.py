"""The main panel, its settings, and the buttons that pick source and target."""

from . import operators, panel, settings

CLASSES: list[type] = [settings.SceneSettings, *panel.CLASSES, *operators.CLASSES]
