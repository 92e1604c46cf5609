"""The preferences, and the buttons for the worker, the models, GPU memory and the cache."""

from . import operators, preferences

CLASSES: list[type] = [preferences.Preferences, *operators.CLASSES]
