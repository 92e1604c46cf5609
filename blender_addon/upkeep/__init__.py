"""Worker, models, memory, cache, and the preferences."""

from . import operators, preferences

CLASSES: list[type] = [preferences.Preferences, *operators.CLASSES]
