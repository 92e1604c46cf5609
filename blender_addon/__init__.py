"""MeshKin's Blender add-on: buttons, a panel and preferences around ``meshkin.workflow``.

A folder for each feature holds its operators and its part of the panel; ``base`` what they share. Of the ``meshkin``
library only the descriptions of options are imported before a job needs more, so that Blender starts as fast as
without.
"""

from __future__ import annotations

import sys

import bpy

from .attributes import operators as attributes
from .base import driver, preferences, status
from .features import operators as features
from .main import operators as main
from .main import panel
from .main.settings import Settings
from .match import display, pairs
from .match import operators as match
from .match import panel as match_panel
from .photo import operators as photo
from .photo import panel as photo_panel
from .rig import operators as rig
from .texture import operators as texture
from .upkeep import operators as upkeep
from .upkeep.preferences import Preferences
from .weights import operators as weights

PANELS = (panel, match_panel, photo_panel)
BUTTONS = (main, features, match, pairs, display, texture, weights, rig, attributes, photo, upkeep)
CLASSES: list[type] = [Settings, Preferences, *(kind for module in (*PANELS, *BUTTONS) for kind in module.CLASSES)]


def _command(arguments: list[str]) -> int:
    """What ``blender --command meshkin …`` runs."""
    from meshkin.cli import main as run

    preferences.apply(bpy.context)
    return run(arguments)


_commands: list[object] = []


def register() -> None:
    """Add everything to Blender."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.meshkin = bpy.props.PointerProperty(type=Settings)
    bpy.app.handlers.load_pre.append(driver.before_load)
    for name, handler in display.HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    _commands.append(bpy.utils.register_cli_command("meshkin", _command))


def unregister() -> None:
    """Stop the running job and the worker, and take everything away again in reverse order."""
    driver.cancel()
    status.forget()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    bpy.utils.unregister_cli_command(_commands.pop())
    display.before_load()
    for name, handler in display.HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    bpy.app.handlers.load_pre.remove(driver.before_load)
    del bpy.types.Scene.meshkin
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
