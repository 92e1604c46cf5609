"""The preferences, and the buttons for the worker, the models, GPU memory and the cache."""

from . import operators, preferences, try_it

CLASSES: list[type] = [preferences.Preferences, *operators.CLASSES, *try_it.CLASSES]
