"""One button for everything that is to be transferred, and the menu that lists all buttons."""

from . import menu, operators

CLASSES: list[type] = [*operators.CLASSES, *menu.CLASSES]
