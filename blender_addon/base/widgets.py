"""Pieces that several panels draw. Drawing only reads: the settings, the running job and :mod:`.status`."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import textwrap

import bpy

from . import driver, status

FEW_LINES = 4
"""Lines of an outcome that are shown at first. Chosen: the other panels stay in sight."""
SHORT_LINE = 150
"""Characters to which such a line is shortened. Chosen: three lines of a usual sidebar."""
CLOSE_BUTTON = 4
"""Characters that the button beside a title takes. Measured."""


def paragraph(layout: bpy.types.UILayout, text: str, width: int = 60, icon: str = "NONE") -> None:
    """Draw a text in lines of at most ``width`` characters."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, max(width, 16))):
        column.label(text=line, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def _width(context: bpy.types.Context) -> int:
    """Return about how many characters fit into a line of the region.

    Measured with Blender's default font: a character is about 7.5 pixels wide at scale 1; margins and the icon take 6.
    """
    return int(context.region.width / (7.5 * context.preferences.system.ui_scale)) - 6


def job_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw the running job with its progress bar, or the outcome of the last one."""
    if job := driver.running:
        box = layout.box()
        box.label(text=job.title, icon="SORTTIME")
        box.progress(factor=job.fraction, text=f"{job.stage}  {job.fraction:.0%}")
        box.operator("meshkin.cancel", icon="X")
    elif last := driver.outcome:
        box = layout.box()
        row = box.row()
        title = row.column()
        title.alert = last.failed  # red
        paragraph(title, last.title, _width(context) - CLOSE_BUTTON, last.icon)
        row.operator("meshkin.dismiss", text="", icon="X", emboss=False)
        lines = [(line, driver.WARNING_ICON) for line in last.warnings] + [(line, "BLANK1") for line in last.lines]
        for line, icon in lines if driver.shows_all else lines[:FEW_LINES]:
            text = line if driver.shows_all else textwrap.shorten(line, SHORT_LINE, placeholder=" …")
            paragraph(box, text, _width(context), icon)
        if len(lines) > FEW_LINES or any(len(line) > SHORT_LINE for line, _ in lines):
            text = "Show Less" if driver.shows_all else "Show All"
            icon = "TRIA_UP" if driver.shows_all else "TRIA_DOWN"
            box.operator("meshkin.show_report", text=text, icon=icon, emboss=False)


def worker_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw why the worker is missing, with the button that sets it up; nothing if it is there."""
    if status.worker_missing:
        paragraph(layout, f"{status.worker_missing}. MeshKin needs it for all computation.", _width(context), "ERROR")
        layout.operator("meshkin.setup_worker", icon="IMPORT")


def model_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw what a model would add, with the button that gets one; nothing if there is a model."""
    if status.known and status.worker and not status.model:
        text = "There is no model yet: points are compared by shape alone. A model also recognizes what the parts are."
        paragraph(layout, text, _width(context), "INFO")
        layout.operator("meshkin.get_model", icon="IMPORT")


def form(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """Return the layout, set to draw each property on its own line with its name on the left."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


class Sidebar:
    """Mixin of the panels in the sidebar's tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshKin"
