"""The sidebar's tab, its settings, and the buttons that pick two objects."""

from . import operators, panel, settings

CLASSES: list[type] = [settings.Settings, *panel.CLASSES, *operators.CLASSES]
