"""The panel for data sets."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from meshkin.dataset.options import DatasetOptions, LookOptions

from ..base.properties import panel_options
from ..base.widgets import Section, form

DRAWN = ("dataset_around", "dataset_distance", "dataset_spread", "dataset_animate", "dataset_seed")
"""Options that only matter where cameras are drawn."""

OF_THE_FILTER = ("dataset_drop", "dataset_judge")
"""Options that stand beside the filter's button."""


class MESHKIN_PT_dataset(Section, bpy.types.Panel):
    """Takes pictures of the objects of a collection, for those who train networks."""

    bl_idname = "MESHKIN_PT_dataset"
    bl_label = "Data Set"
    bl_order = 6

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column()
        column.prop(settings, "dataset_collection")
        column.prop(settings, "dataset_template")
        column.prop(settings, "dataset_folder")
        for name in panel_options(DatasetOptions, OF_THE_FILTER):
            if name not in DRAWN or settings.dataset_cameras != "scene":
                column.prop(settings, name)
        for name in panel_options(LookOptions):
            if name == "dataset_look" or settings.dataset_look == "painted":
                column.prop(settings, name)
        layout.operator("meshkin.make_dataset", icon="RENDER_STILL")
        row = layout.row(align=True)
        row.operator("meshkin.check_dataset", icon="CHECKMARK")
        row.operator("meshkin.filter_dataset", icon="FILTER")
        layout.prop(settings, "dataset_judge")
        layout.prop(settings, "dataset_drop", slider=True)


CLASSES: list[type] = [MESHKIN_PT_dataset]
