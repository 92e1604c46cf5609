"""MeshKin's Blender add-on: buttons, panels and preferences that call ``meshkin.workflow``.

Each feature has a folder with its operators and its part of the panel. ``base`` holds what the features share. Until a
job needs more, only the library's descriptions of options and extractors are imported, so that Blender's start is not
slowed down.
"""

from __future__ import annotations

import sys

import bpy

from . import (
    attributes,
    dataset,
    family,
    features,
    main,
    match,
    paint,
    parts,
    photo,
    rig,
    texture,
    transfer,
    translations,
    upkeep,
    video,
    weights,
)
from .base import driver, preferences, status

FEATURES = (
    main,
    upkeep,
    features,
    match,
    transfer,
    texture,
    weights,
    rig,
    attributes,
    parts,
    family,
    dataset,
    photo,
    paint,
    video,
)
"""Folders of the features, in the order of registration: a panel must come after its parent panel."""
CLASSES: list[type] = [cls for feature in FEATURES for cls in feature.CLASSES]


def _command(arguments: list[str]) -> int:
    """Run ``blender --command meshkin …``; returns the exit code."""
    from meshkin import cli

    preferences.apply(bpy.context)
    return cli.main(arguments)


_commands: list[object] = []
"""Blender's handle of the registered command; empty while the add-on is not registered."""


def register() -> None:
    """Add the classes, the scene's settings, the handlers and the command to Blender."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.app.translations.register(__name__, translations.tables())
    bpy.types.Scene.meshkin = bpy.props.PointerProperty(type=main.settings.SceneSettings)
    bpy.types.VIEW3D_MT_object.append(transfer.menu.draw_entry)
    bpy.types.VIEW3D_MT_select_edit_mesh.append(transfer.menu.draw_select_part)
    bpy.app.handlers.load_pre.append(driver.before_load)
    bpy.app.handlers.save_pre.append(main.settings.forget_deleted)
    for feature in (match.display, video.operators):
        for name, handlers in feature.HANDLERS.items():
            getattr(bpy.app.handlers, name).extend(handlers)
    match.fixing.register_keys()
    _commands.append(bpy.utils.register_cli_command("meshkin", _command))


def unregister() -> None:
    """Stop the running job and the worker, then remove everything in reverse order."""
    driver.cancel()
    status.forget()
    if "meshkin.worker.client" in sys.modules:
        sys.modules["meshkin.worker.client"].stop()
    bpy.utils.unregister_cli_command(_commands.pop())
    match.fixing.unregister_keys()
    for feature in (match.display, video.operators):
        feature.before_load()
        for name, handlers in feature.HANDLERS.items():
            for handler in handlers:
                getattr(bpy.app.handlers, name).remove(handler)
    bpy.app.handlers.save_pre.remove(main.settings.forget_deleted)
    bpy.app.handlers.load_pre.remove(driver.before_load)
    bpy.types.VIEW3D_MT_object.remove(transfer.menu.draw_entry)
    bpy.types.VIEW3D_MT_select_edit_mesh.remove(transfer.menu.draw_select_part)
    del bpy.types.Scene.meshkin
    bpy.app.translations.unregister(__name__)
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
