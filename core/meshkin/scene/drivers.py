"""Drivers: copied from one data-block to another, and made to use other data-blocks."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

import bpy

_CUSTOM_PROPERTY = re.compile(r'\["((?:\\.|[^"\\])*)"\]')
"""Begins the data path of a custom property."""


def copy(driver: bpy.types.FCurve, block: bpy.types.ID) -> bpy.types.FCurve:
    """Copy a driver to the property of the same path of another data-block; one that is there is replaced."""
    animation = block.animation_data or block.animation_data_create()
    if existing := animation.drivers.find(driver.data_path, index=driver.array_index):
        animation.drivers.remove(existing)
    return animation.drivers.from_existing(src_driver=driver)


def redirect(driver: bpy.types.FCurve, replacements: Mapping[bpy.types.ID, bpy.types.ID]) -> None:
    """Let a driver's variables read from other data-blocks, except from bones and properties that are not there.

    A custom property of a data-block that is replaced (a slider of a face) is given to the other one, if it lacks it.
    """
    for variable in driver.driver.variables:
        for target in variable.targets:
            new = replacements.get(target.id)
            pose = getattr(new, "pose", None)
            if new is None or (target.bone_target and not (pose and target.bone_target in pose.bones)):
                continue
            if variable.type == "SINGLE_PROP":
                _copy_property(target.id, new, target.data_path)
                if not _has(new, target.data_path):
                    continue
            target.id = new


def _copy_property(old: bpy.types.ID, new: bpy.types.ID, path: str) -> None:
    """Give a data-block the custom property that a path begins with, with its limits, if it lacks it."""
    match = _CUSTOM_PROPERTY.match(path)
    name = bpy.utils.unescape_identifier(match[1]) if match else ""
    if name in old and name not in new and not new.library:
        new[name] = old[name]
        with contextlib.suppress(TypeError):  # a group of properties has no limits
            new.id_properties_ui(name).update_from(old.id_properties_ui(name))


def _has(block: bpy.types.ID, path: str) -> bool:
    """Whether a data-block has what a path leads to."""
    try:
        block.path_resolve(path)
    except ValueError:
        return False
    return True


def of(block: bpy.types.ID | None) -> list[bpy.types.FCurve]:
    """The drivers of a data-block."""
    return list(block.animation_data.drivers) if block and block.animation_data else []
