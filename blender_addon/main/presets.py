"""Presets of the options, by Blender's own mechanism: kept as files among the user's scripts."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from ..base.properties import panel_options
from .settings import OPTION_GROUPS

FOLDER = "meshkin/options"
"""Where the files lie, below Blender's folder of presets."""


class MESHKIN_PT_presets(PresetPanel, bpy.types.Panel):
    """The list of presets."""

    bl_idname = "MESHKIN_PT_presets"
    bl_label = "Option Presets"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "meshkin.add_preset"


class MESHKIN_OT_add_preset(AddPresetBase, bpy.types.Operator):
    """Keep what is ticked and all options under a name, or remove such a preset"""

    bl_idname = "meshkin.add_preset"
    bl_label = "Add Option Preset"
    preset_menu = MESHKIN_PT_presets.bl_idname
    preset_subdir = FOLDER
    preset_defines = ["settings = bpy.context.scene.meshkin"]
    preset_values = [
        "settings.kinds",
        *(f"settings.{name}" for group in OPTION_GROUPS.values() for name in panel_options(group)),
    ]


CLASSES: list[type] = [MESHKIN_PT_presets, MESHKIN_OT_add_preset]
