"""The main panel, its settings, and the buttons that pick source and target."""

from . import operators, panel, presets, settings

CLASSES: list[type] = [settings.SceneSettings, *presets.CLASSES, *panel.CLASSES, *operators.CLASSES]
