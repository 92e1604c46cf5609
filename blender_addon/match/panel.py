"""The panels that show and guide the match."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

from ..base import members, status
from ..base.text import translated
from ..base.widgets import BUTTON_MARGIN, Sidebar, beside, button, field, switch
from ..features import panel as features
from ..translations import OWN
from . import fixing
from .pairs import meshes


def buttons(column: bpy.types.UILayout) -> None:
    """Draw the button of the main panel that matches source and target."""
    column.operator("meshkin.match", icon="UV_VERTEXSEL")


class MESHKIN_PT_match(Sidebar, bpy.types.Panel):
    """Shows the match, its doubtful places, and the features."""

    bl_idname = "MESHKIN_PT_match"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Look"
    bl_translation_context = OWN
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.meshkin
        matches = status.scene_module("mesh.matches")

        column = layout.column(align=True)
        buttons(column)
        column.operator("meshkin.compare", icon="ARROW_LEFTRIGHT", depress=status.compared())
        switch(column, context, settings, "look")
        row = column.row(align=True)
        row.operator("meshkin.before_after", icon="LOOP_BACK", depress=fixing.shows_before(settings))
        row.operator("meshkin.discard_before", text="", icon="TRASH")

        column = layout.column(align=True)
        column.label(text="Display")
        row = beside(column, context, ("Same Color", "Confidence"), BUTTON_MARGIN)
        for name, color, icon in (
            ("show_match", "match_color", "GROUP_VCOL"),
            ("show_confidence", "match_confidence_color", "OVERLAY"),
        ):
            row.operator(f"meshkin.{name}", icon=icon, depress=status.colors_shown(color))
        row = column.row(align=True)
        row.operator("meshkin.show_lines", icon="CURVE_PATH", depress=status.lines_shown())
        row.prop(settings, "lines", text="")
        button(column, context, "select_low", "Select Low-Confidence", "RESTRICT_SELECT_OFF")
        features.display_buttons(layout.column(align=True))

        both = settings.source and settings.target and matches
        if places := matches.doubtful_places(settings.source, settings.target) if both else []:
            column = layout.column(align=True)
            column.label(text="Doubtful Places")
            for index, place in enumerate(places):
                row = column.row(align=True)
                row.alignment = "LEFT"
                text = f"{place.name}  ({place.share:.1%})"
                jump = row.operator("meshkin.look_at_place", text=text, icon="VIEWZOOM", emboss=False, translate=False)
                jump.index = index


class MESHKIN_PT_guide(Sidebar, bpy.types.Panel):
    """Guides the match."""

    bl_idname = "MESHKIN_PT_guide"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Guide"
    bl_translation_context = OWN
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.meshkin
        matches, pairs = status.scene_module("mesh.matches"), status.scene_module("mesh.pairs")
        both = settings.source and settings.target and matches and pairs

        column = layout.column(align=True)
        flipped = bool(both and matches.is_flipped(settings.source, settings.target))
        field(column, context, settings, "match_joints")
        column.operator("meshkin.flip", icon="MOD_MIRROR", depress=flipped)
        row = column.row(align=True)
        row.operator("meshkin.pick_pairs", icon="EYEDROPPER")
        row.operator("meshkin.pair_selected", text="", icon="VERTEXSEL")
        ends = [meshes(settings, role) for role in members.ROLES] if both else []
        shown = pairs.between_all(*ends) if ends else []
        new = len(shown) - matches.pair_count(settings.source, settings.target) if both else 0
        text = translated("Update Result ({count} New)").format(count=new) if new > 0 else "Update Result"
        column.operator("meshkin.update", text=text, icon="FILE_REFRESH")
        if both:
            for pair in shown:
                row = column.row(align=True)
                row.label(
                    text=translated("Point pair {label}").format(label=pair.label), icon="LINKED", translate=False
                )
                row.operator("meshkin.remove_pair", text="", icon="X", emboss=False).label = pair.label
            for empty in pairs.without_partner([obj for end in ends for obj in end]):
                text = translated("{name}: no partner").format(name=empty.name)
                column.label(text=text, icon="UNLINKED", translate=False)

        column = layout.column(align=True)
        column.label(text="Set of Objects")
        button(column, context, "match_set", "Match as a Set", "OUTLINER_OB_GROUP_INSTANCE")
        field(column, context, settings, "through")


CLASSES: list[type] = [MESHKIN_PT_match, MESHKIN_PT_guide]
