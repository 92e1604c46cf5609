"""MeshKin's Blender add-on: buttons, a panel and preferences around ``meshkin.workflow``.

Nothing of the ``meshkin`` library is imported before it is needed, so that Blender starts as fast as without.
"""

from __future__ import annotations

import sys

import bpy

from . import (
    driver,
    guide,
    look,
    matching,
    panels,
    photos,
    preferences,
    properties,
    rigs,
    status,
    texturing,
    transferring,
    upkeep,
)

BUTTONS = (matching, guide, look, texturing, transferring, rigs, photos, upkeep)
CLASSES: list[type] = [
    properties.Settings,
    preferences.Preferences,
    *panels.CLASSES,
    *(kind for module in BUTTONS for kind in module.CLASSES),
]


def _command(arguments: list[str]) -> int:
    """What ``blender --command meshkin …`` runs."""
    from meshkin.cli import main

    preferences.apply(bpy.context)
    return main(arguments)


_commands: list[object] = []


def register() -> None:
    """Add everything to Blender."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.meshkin = bpy.props.PointerProperty(type=properties.Settings)
    bpy.app.handlers.load_pre.append(driver.before_load)
    for name, handler in look.HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    _commands.append(bpy.utils.register_cli_command("meshkin", _command))


def unregister() -> None:
    """Stop the running job and the worker, and take everything away again in reverse order."""
    driver.cancel()
    status.forget()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    bpy.utils.unregister_cli_command(_commands.pop())
    look.before_load()
    for name, handler in look.HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    bpy.app.handlers.load_pre.remove(driver.before_load)
    del bpy.types.Scene.meshkin
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
