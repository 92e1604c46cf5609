"""The sidebar's tab. Drawing only reads: settings, the running job, and what :mod:`status` looked up before."""

# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

import textwrap

import bpy

from . import driver, properties, status


def paragraph(layout: bpy.types.UILayout, text: str, width: int = 60, icon: str = "NONE") -> None:
    """A text over several lines of at most ``width`` characters."""
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, max(width, 16))):
        column.label(text=line, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def _width(context: bpy.types.Context) -> int:
    """About how many characters fit into a line of the region."""
    return int(context.region.width / (7.5 * context.preferences.system.ui_scale)) - 6


def job_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The running job with its progress bar, or how the last one ended."""
    if job := driver.running:
        box = layout.box()
        box.label(text=job.title, icon="SORTTIME")
        box.progress(factor=job.fraction, text=f"{job.stage}  {job.fraction:.0%}")
        box.operator("meshkin.cancel", icon="X")
    elif last := driver.outcome:
        box = layout.box()
        paragraph(box, last.title, _width(context), last.icon)
        for line in last.lines:
            paragraph(box, textwrap.shorten(line, 150, placeholder=" …"), _width(context), "BLANK1")


def worker_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Says whether the worker is there; offers to set it up where it is not."""
    if status.worker_missing:
        paragraph(layout, f"{status.worker_missing}. It does the computing.", _width(context), "ERROR")
        layout.operator("meshkin.setup_worker", icon="IMPORT")


def model_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Says what a model would add where none is there."""
    if status.known and status.worker and not status.model:
        text = "No model yet: points are compared by shape alone. A model also sees what the parts are."
        paragraph(layout, text, _width(context), "INFO")
        layout.operator("meshkin.get_model", icon="IMPORT")


def form(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """The layout, for settings below each other with their names to the left."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


class _Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshKin"


class MESHKIN_PT_main(_Sidebar, bpy.types.Panel):
    """Pickers, buttons, progress."""

    bl_idname = "MESHKIN_PT_main"
    bl_label = "MeshKin"

    def draw(self, context: bpy.types.Context) -> None:
        status.ensure()
        layout = self.layout
        settings = context.scene.meshkin

        row = layout.row(align=True)
        fields = row.column(align=True)
        fields.use_property_split = False
        for name in ("source", "target"):
            split = fields.split(factor=0.3, align=True)
            split.label(text=name.capitalize())
            split.prop(settings, name, text="")
        side = row.column(align=True)
        side.operator("meshkin.pick", text="", icon="RESTRICT_SELECT_OFF")
        side.operator("meshkin.swap", text="", icon="UV_SYNC_SELECT")

        worker_state(layout, context)
        column = layout.column(align=True)
        column.operator("meshkin.features", icon="COLOR")
        column.operator("meshkin.match", icon="UV_VERTEXSEL")
        column = layout.column(align=True)
        column.label(text="Transfer")
        texture = column.operator("meshkin.transfer_texture", icon="TEXTURE")
        texture.texture_size, texture.margin = settings.texture_size, settings.margin
        row = column.row(align=True)
        skinning = row.operator("meshkin.transfer_weights", icon="MOD_VERTEX_WEIGHT")
        for name in properties.WEIGHTS:
            setattr(skinning, name, getattr(settings, name))
        row.operator("meshkin.select_inpainted", text="", icon="RESTRICT_SELECT_OFF")
        row = column.row(align=True)
        row.operator("meshkin.transfer_armature", icon="ARMATURE_DATA")
        row.operator("meshkin.motion", text="", icon="ACTION")
        row.operator("meshkin.build_armature", text="", icon="OUTLINER_OB_ARMATURE")
        column.operator("meshkin.pose", icon="POSE_HLT").threshold = settings.threshold
        column.operator("meshkin.transfer_attributes", icon="SPREADSHEET")

        shown = status.colors_shown()
        layout.operator(
            "meshkin.show_colors",
            text="Hide Colors" if shown else "Show Colors",
            icon="HIDE_OFF" if shown else "HIDE_ON",
            depress=shown,
        )
        layout.operator("meshkin.show_pictures", icon="IMAGE_DATA")
        job_state(layout, context)
        model_state(layout, context)


class MESHKIN_PT_match(_Sidebar, bpy.types.Panel):
    """Guiding the match, and looking at it."""

    bl_idname = "MESHKIN_PT_match"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Match"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.meshkin
        matches, pairs = status.scene_module("mesh.matches"), status.scene_module("mesh.pairs")
        both = settings.source and settings.target and matches and pairs

        column = layout.column(align=True)
        column.label(text="Look at It")
        row = column.row(align=True)
        for name, color, icon in (
            ("show_match", "match_color", "COLORSET_13_VEC"),
            ("show_confidence", "match_confidence_color", "COLORSET_03_VEC"),
        ):
            row.operator(f"meshkin.{name}", icon=icon, depress=status.colors_shown(color))
        row = column.row(align=True)
        row.operator("meshkin.show_lines", icon="CURVE_PATH", depress=status.lines_shown())
        row.prop(settings, "lines", text="")
        column.operator("meshkin.select_low", icon="RESTRICT_SELECT_OFF")

        column = layout.column(align=True)
        column.label(text="Guide It")
        flipped = bool(both and matches.is_flipped(settings.source, settings.target))
        column.operator("meshkin.flip", icon="MOD_MIRROR", depress=flipped)
        row = column.row(align=True)
        row.operator("meshkin.pick_pairs", icon="EYEDROPPER")
        row.operator("meshkin.pair_selected", text="", icon="VERTEXSEL")
        if both:
            for pair in pairs.between(settings.source, settings.target):
                row = column.row(align=True)
                row.label(text=f"Point pair {pair.label}", icon="LINKED")
                row.operator("meshkin.remove_pair", text="", icon="X", emboss=False).label = pair.label
            for empty in pairs.without_partner(settings.source, settings.target):
                column.label(text=f"{empty.name}: no partner", icon="UNLINKED")

        column = layout.column(align=True)
        column.label(text="More than Two")
        column.operator("meshkin.match_set", icon="OUTLINER_OB_GROUP_INSTANCE")
        column.prop(settings, "through", text="Through")


class MESHKIN_PT_photo(_Sidebar, bpy.types.Panel):
    """A photo and what it is matched to."""

    bl_idname = "MESHKIN_PT_photo"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Photo"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        column = layout.column(align=True)
        column.prop(settings, "photo")
        column.prop(settings, "photo_mask")
        column = layout.column(align=True)
        column.operator("meshkin.match_photo", icon="IMAGE_REFERENCE")
        column.operator("meshkin.texture_photo", icon="TEXTURE")


class MESHKIN_PT_options(_Sidebar, bpy.types.Panel):
    """How the job is done."""

    bl_idname = "MESHKIN_PT_options"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = form(self.layout)
        settings = context.scene.meshkin
        painted = ("prompt", "negative_prompt", "profile", "seed") if "diff3f" in settings.features else ()
        seen = ("features", *painted, "style", "views", "without", "resolution")
        for names in (seen, ("texture_size", "margin"), properties.WEIGHTS):
            column = layout.column(align=True)
            for name in names:
                column.prop(settings, name)
        layout.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES").module = __package__


CLASSES: list[type] = [MESHKIN_PT_main, MESHKIN_PT_match, MESHKIN_PT_options, MESHKIN_PT_photo]
