"""Drivers: copied from one data-block to another, and made to use other data-blocks."""

from __future__ import annotations

from collections.abc import Mapping

import bpy


def copy(driver: bpy.types.FCurve, block: bpy.types.ID) -> bpy.types.FCurve:
    """Copy a driver to the property of the same path of another data-block; one that is there is replaced."""
    animation = block.animation_data or block.animation_data_create()
    if existing := animation.drivers.find(driver.data_path, index=driver.array_index):
        animation.drivers.remove(existing)
    return animation.drivers.from_existing(src_driver=driver)


def redirect(driver: bpy.types.FCurve, replacements: Mapping[bpy.types.ID, bpy.types.ID]) -> None:
    """Let a driver's variables read from other data-blocks, except from bones that are not there."""
    for variable in driver.driver.variables:
        for target in variable.targets:
            new = replacements.get(target.id)
            pose = getattr(new, "pose", None)
            if new is not None and (not target.bone_target or (pose and target.bone_target in pose.bones)):
                target.id = new


def of(block: bpy.types.ID | None) -> list[bpy.types.FCurve]:
    """The drivers of a data-block."""
    return list(block.animation_data.drivers) if block and block.animation_data else []
