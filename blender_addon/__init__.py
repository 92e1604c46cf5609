"""MeshKin's Blender add-on: buttons, a panel and preferences around ``meshkin.workflow``.

A folder for each feature holds its operators and its part of the panel; ``base`` what they share. Of the ``meshkin``
library only the descriptions of options are imported before a job needs more, so that Blender starts as fast as
without.
"""

from __future__ import annotations

import sys

import bpy

from . import attributes, features, main, match, photo, rig, texture, upkeep, weights
from .base import driver, preferences, status

FEATURES = (main, upkeep, features, match, texture, weights, rig, attributes, photo)
"""In the order of registration: a panel comes after the one that it lies in."""
CLASSES: list[type] = [kind for feature in FEATURES for kind in feature.CLASSES]


def _command(arguments: list[str]) -> int:
    """What ``blender --command meshkin …`` runs."""
    from meshkin import cli

    preferences.apply(bpy.context)
    return cli.main(arguments)


_commands: list[object] = []


def register() -> None:
    """Add everything to Blender."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.meshkin = bpy.props.PointerProperty(type=main.settings.Settings)
    bpy.app.handlers.load_pre.append(driver.before_load)
    for name, handler in match.display.HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    _commands.append(bpy.utils.register_cli_command("meshkin", _command))


def unregister() -> None:
    """Stop the running job and the worker, and take everything away again in reverse order."""
    driver.cancel()
    status.forget()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    bpy.utils.unregister_cli_command(_commands.pop())
    match.display.before_load()
    for name, handler in match.display.HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    bpy.app.handlers.load_pre.remove(driver.before_load)
    del bpy.types.Scene.meshkin
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
