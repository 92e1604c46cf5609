"""``python -m meshkin``: the command line."""

from .cli import entry

entry()
