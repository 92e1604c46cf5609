"""Pieces that several panels draw. Drawing only reads: the settings, the running job and :mod:`.status`."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy

from . import driver
from .text import fits, fitting, told_stage, translated

JOB_LINES = 5
"""Lines of the place for the job, whatever it shows: nothing below it moves when a job starts or ends. Chosen: an error
and its fix fit into them in a sidebar of the usual width."""
LINE_HEIGHT = 0.85
"""Height of a line of text beside a button's. Chosen: as close as in Blender's own texts."""
NAME_SHARE = 0.4
"""Share of a panel's width that Blender gives to a property's name."""
NAME_MARGIN = 8
"""Pixels at scale 1 between a property's name and its field. Measured."""
CHOICE_MARGIN = 22
"""Pixels at scale 1 around a choice: its field's borders and arrow. Measured."""
NUMBER_MARGIN = 76
"""Pixels at scale 1 beside the name of a number within its field: the number, its unit and the borders. Chosen."""
BUTTON_MARGIN = 36
"""Pixels at scale 1 around a button's text: its icon and its borders. Measured."""
REPORT_WIDTH = 22
"""Width of the report's popover, in Blender's units of 20 pixels. Chosen: most sentences take two lines."""


@dataclass(frozen=True)
class Hint:
    """What to do next.

    Attributes:
        text: a sentence or two.
        operators: names of one or two operators that do it.
        icon: Blender's name of the icon beside the text.
        preferences: whether the preferences help.
    """

    text: str
    operators: tuple[str, ...] = ()
    icon: str = "INFO"
    preferences: bool = False


def paragraph(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE", units: float = 0
) -> None:
    """Draw a text in lines that fit the region, or a popup of so many units."""
    column = layout.column(align=True)
    column.scale_y = LINE_HEIGHT
    _lines(column, fitting(context, text, units), icon)


def _lines(column: bpy.types.UILayout, lines: list[str], icon: str) -> None:
    """Draw lines with an icon beside the first."""
    for index, line in enumerate(lines):
        column.label(text=line, icon=icon if index == 0 else ("NONE" if icon == "NONE" else "BLANK1"), translate=False)


def job_place(layout: bpy.types.UILayout, context: bpy.types.Context, hint: Hint) -> None:
    """Draw the running job, or the outcome of the last one, or what to do next: always of the same height."""
    box = layout.box()
    column = box.column(align=True)
    column.scale_y = LINE_HEIGHT
    row = box.row()
    if job := driver.running:
        column.label(text=job.title, icon="SORTTIME")
        column.progress(factor=job.fraction, text=f"{job.fraction:.0%}")
        lines = fitting(context, job.position, count=1) if job.position else []
        lines += fitting(context, told_stage(job.stage), count=JOB_LINES - 3)
        _lines(column, lines + [""] * (JOB_LINES - 2 - len(lines)), "BLANK1")
        row.operator("meshkin.cancel", icon="X")
    elif last := driver.outcome:
        column.alert = last.failed  # red
        more = last.lines if last.failed else last.warnings[:1]
        _fill(column, context, " ".join((last.title, *more)), last.icon)
        row.popover(MESHKIN_PT_report.bl_idname, text="Report", icon="TEXT")
        if last.leads_to:
            row.operator(last.leads_to)
        if last.failed:
            row.operator("meshkin.show_preferences", text="", icon="PREFERENCES")
        row.operator("meshkin.dismiss", text="", icon="X")
    else:
        _fill(column, context, hint.text, hint.icon)
        for name in hint.operators:
            row.operator(name)
        if hint.preferences:
            row.operator("meshkin.show_preferences", text="" if hint.operators else None, icon="PREFERENCES")
        elif not hint.operators:
            row.label(text="")


def _fill(column: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str) -> None:
    """Draw a text in exactly as many lines as the place for the job has."""
    lines = fitting(context, text, count=JOB_LINES)
    _lines(column, lines + [""] * (JOB_LINES - len(lines)), icon)


class MESHKIN_PT_report(bpy.types.Panel):
    """All lines of the last job's report, over the other panels."""

    bl_idname = "MESHKIN_PT_report"
    bl_label = "Report"
    bl_space_type = "VIEW_3D"
    bl_region_type = "WINDOW"
    bl_options = {"INSTANCED"}
    bl_ui_units_x = REPORT_WIDTH

    def draw(self, context: bpy.types.Context) -> None:
        last = driver.outcome
        if last is None:
            return
        lines = [(last.title, last.icon), *((line, driver.WARNING_ICON) for line in last.warnings)]
        for line, icon in [*lines, *((line, "BLANK1") for line in last.lines)]:
            paragraph(self.layout, context, line, icon, REPORT_WIDTH)


def form(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """Return the layout, set to draw each property on its own line with its name on the left."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def field(
    layout: bpy.types.UILayout, context: bpy.types.Context, data: Any, name: str, label: str = "", placeholder: str = ""
) -> None:
    """Draw a property with its name on the left; where they do not fit side by side, with its name above or within.

    Args:
        layout: where.
        context: Blender's context.
        data: what has the property.
        name: its identifier.
        label: shown instead of its name, not translated yet.
        placeholder: shown in an empty text field.
    """
    prop = data.bl_rna.properties[name]
    choices: list[str] = []
    if prop.type == "ENUM":
        chosen = {item.identifier for item in prop.enum_items} if prop.is_enum_flag else {getattr(data, name)}
        choices = [translated(item.name) for item in prop.enum_items if item.identifier in chosen]
    label = label or prop.name
    shown = {"placeholder": placeholder} if placeholder else {}
    is_number = prop.type in {"INT", "FLOAT"}
    column = layout.column(align=True)
    column.use_property_split = column.use_property_decorate = False
    if fits(context, translated(label), NAME_SHARE, NAME_MARGIN) and all(
        fits(context, choice, 1 - NAME_SHARE, CHOICE_MARGIN) for choice in choices
    ):
        form(column).prop(data, name, text=label, **shown)
    elif prop.type == "BOOLEAN" or (is_number and fits(context, translated(label), 1, NUMBER_MARGIN)):
        column.prop(data, name, text=label)
    else:
        column.label(text=label)
        column.prop(data, name, text="", **shown)


def button(layout: bpy.types.UILayout, context: bpy.types.Context, name: str, short: str, icon: str) -> None:
    """Draw an operator's button with an icon, and with a shorter text where its label does not fit."""
    label = translated(getattr(bpy.ops.meshkin, name).get_rna_type().name)
    layout.operator(f"meshkin.{name}", text=label if fits(context, label, 1, BUTTON_MARGIN) else short, icon=icon)


def beside(
    layout: bpy.types.UILayout, context: bpy.types.Context, texts: Sequence[str], margin: float
) -> bpy.types.UILayout:
    """Return a row for buttons with these texts, which are not translated yet; a column where they do not fit."""
    fit = all(fits(context, translated(text), 1 / len(texts), margin) for text in texts)
    return layout.row(align=True) if fit else layout.column(align=True)


def switch(layout: bpy.types.UILayout, context: bpy.types.Context, data: Any, name: str) -> None:
    """Draw the choices of a property beside each other; where they do not fit, below each other."""
    choices = [item.name for item in data.bl_rna.properties[name].enum_items]
    beside(layout, context, choices, CHOICE_MARGIN).prop(data, name, expand=True)


class Sidebar:
    """Mixin of the panels in the sidebar's tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshKin"


class Section(Sidebar):
    """Mixin of the panels below the main one that are closed at first."""

    bl_parent_id = "MESHKIN_PT_main"
    bl_options = {"DEFAULT_CLOSED"}
