"""The main panel: source and target, the buttons of all features, the progress of the job, and the options."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

import bpy

from ..attributes import panel as attributes
from ..base import members, options, status
from ..base.preferences import ADDON
from ..base.properties import panel_options
from ..base.text import told, translated
from ..base.widgets import Hint, MESHKIN_PT_report, Section, Sidebar, field, job_place
from ..features import panel as features
from ..match import panel as match
from ..rig import panel as rig
from ..texture import panel as texture
from ..transfer import panel as transfer
from ..transfer.operators import MESHKIN_OT_transfer
from ..upkeep.guide import setup_hint
from ..weights import panel as weights
from .presets import MESHKIN_PT_presets
from .settings import OPTION_GROUPS

COMMON = {
    "Features": ("features", "prompt", "negative_prompt", "profile", "seed", "style", "views", "without", "resolution"),
    "Textures": ("texture_size", "margin"),
    "Weights": tuple(panel_options(OPTION_GROUPS["Weights"])),
}
"""Flat names of the options in the panel “Options”, by their headings; the panel “More” has all others."""


def next_step(context: bpy.types.Context) -> Hint:
    """Return what leads from here to a result."""
    settings = context.scene.meshkin
    pair = members.selected_pair(context)
    hint = setup_hint()
    if hint and not (status.worker and (pair or (settings.source and settings.target))):  # it works without models, too
        return hint
    if pair:
        text = translated("Transfer goes from “{source}” to “{target}”, which are selected.")
        source, target = members.largest(pair)
        return Hint(text.format(source=source.name, target=target.name))
    if not (settings.source and settings.target):
        text = "Select two characters, the one to transfer to last, and press Transfer."
        return Hint(translated(text), ("meshkin.pick", "meshkin.try_it"))
    if reason := MESHKIN_OT_transfer.why_not(context):
        return Hint(f"{told(reason)}.", icon="ERROR")
    text = "Tick what is to come over, and press Transfer. Look at the match first if you want to guide it."
    return Hint(translated(text))


class MESHKIN_PT_main(Sidebar, bpy.types.Panel):
    """Source and target, the buttons of all features, and the progress of the job."""

    bl_idname = "MESHKIN_PT_main"
    bl_label = "MeshKin"

    def draw(self, context: bpy.types.Context) -> None:
        status.ensure()
        layout = self.layout
        settings = context.scene.meshkin

        job_place(layout, context, next_step(context))
        row = layout.row(align=True)
        fields = row.column(align=True)
        fields.use_property_split = False
        for name in members.ROLES:
            split = fields.split(factor=0.3, align=True)
            split.label(text=name.capitalize())
            field = split.row(align=True)
            field.prop(settings, name, text="")
            field.menu(f"MESHKIN_MT_{name}", text="", icon="OUTLINER_COLLECTION")
        side = row.column(align=True)
        side.operator("meshkin.pick", text="", icon="RESTRICT_SELECT_OFF")
        side.operator("meshkin.swap", text="", icon="FILE_REFRESH")

        members.follow(settings)
        transfer.button(layout, context, settings)


class MESHKIN_PT_members(Sidebar, bpy.types.Panel):
    """The meshes of source and target, with ticks: what takes part."""

    bl_idname = "MESHKIN_PT_members"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Meshes"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        settings = context.scene.meshkin
        if not (settings.source_members or settings.target_members):
            self.layout.label(text="All meshes of a character take part")
        for name in members.ROLES:
            members.draw(self.layout, settings, name)


class MESHKIN_PT_one_by_one(Section, bpy.types.Panel):
    """The buttons that do one thing each."""

    bl_idname = "MESHKIN_PT_one_by_one"
    bl_label = "One by One"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        features.buttons(column)
        match.buttons(column)
        column = self.layout.column(align=True)
        for feature in (texture, weights, rig, attributes):
            feature.buttons(column, context.scene.meshkin)


class MESHKIN_PT_options(Section, bpy.types.Panel):
    """The most important options of a job."""

    bl_idname = "MESHKIN_PT_options"
    bl_label = "Options"
    bl_order = 7

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        MESHKIN_PT_presets.draw_panel_header(self.layout)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.meshkin
        hidden = options.hidden_options(settings)
        for title, block in COMMON.items():
            column = layout.column(align=True)
            column.label(text=title)
            for name in block:
                if name not in hidden:
                    field(column, context, settings, name)
        layout.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = ADDON


class MESHKIN_PT_more(Sidebar, bpy.types.Panel):
    """The options that are needed less often."""

    bl_idname = "MESHKIN_PT_more"
    bl_parent_id = "MESHKIN_PT_options"
    bl_label = "More"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        shown = {name for block in COMMON.values() for name in block}
        for title, group in OPTION_GROUPS.items():
            names = panel_options(group, leave_out=shown)
            if names:
                column = layout.column(align=True)
                column.label(text=title)
                for name in names:
                    field(column, context, context.scene.meshkin, name)


CLASSES: list[type] = [
    MESHKIN_PT_report,
    MESHKIN_PT_main,
    MESHKIN_PT_members,
    MESHKIN_PT_one_by_one,
    MESHKIN_PT_options,
    MESHKIN_PT_more,
]
