"""The menu *Object > MeshKin*: search (F3) finds operators by the menus that list them, and by these words."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

import bpy

ENTRIES = (
    ("pick", "Pick Source and Target"),
    None,
    ("match", "Match Source and Target"),
    ("match_set", "Match Selected as a Set"),
    ("flip", "Flip Match"),
    ("update", "Update the Result of the Last Transfer"),
    ("before_after", "Show Before and After the Last Transfer"),
    None,
    ("transfer", "Transfer All That Is Ticked"),
    ("transfer_texture", "Transfer Texture (Bake Materials)"),
    ("transfer_weights", "Transfer Weights (Copy Skinning)"),
    ("transfer_armature", "Transfer Armature (Copy Rig)"),
    ("motion", "Transfer Motion (Retarget Animation)"),
    ("pose", "Transfer Pose"),
    ("transfer_attributes", "Transfer Attributes, Shape Keys and More"),
    ("build_armature", "Build Armature from Vertex Groups"),
    None,
    ("match_photo", "Match Photo to Target"),
    ("texture_photo", "Photo as Texture"),
    ("paint", "Paint a Texture from Words"),
    None,
    ("find_parts", "Find Parts (Segment)"),
    ("carry_parts", "Carry Parts to Selected"),
    ("features", "Compute Features"),
    ("show_colors", "Show Feature Colors"),
    ("show_pictures", "Show Pictures of Source and Target"),
    ("compare", "Compare Source and Target"),
    ("show_match", "Show Match (Same Color)"),
    ("show_confidence", "Show Confidence"),
    ("show_lines", "Show Lines between Kin"),
    ("select_low", "Select Low-Confidence Vertices"),
    ("select_inpainted", "Select Inpainted Vertices"),
    None,
    ("set_up", "Set Up MeshKin"),
    ("try_it", "Try MeshKin on Two Characters"),
)
"""Operators, without “meshkin.”, and their words in the menu; None is a line."""


class MESHKIN_MT_object(bpy.types.Menu):
    """All that MeshKin does with two picked objects."""

    bl_idname = "MESHKIN_MT_object"
    bl_label = "MeshKin"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"  # as a button: under the timer
        for entry in ENTRIES:
            if entry is None:
                layout.separator()
                continue
            name, text = entry
            button = layout.operator(f"meshkin.{name}", text=text)
            if name == "transfer":
                button.kinds = context.scene.meshkin.kinds


def draw_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Add the menu to Blender's *Object* menu."""
    self.layout.separator()
    self.layout.menu(MESHKIN_MT_object.bl_idname)


def draw_select_part(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Add *Select Part* to the menu *Select* of Edit Mode."""
    self.layout.separator()
    self.layout.operator_context = "INVOKE_DEFAULT"
    self.layout.operator("meshkin.select_part").part = -1


CLASSES: list[type] = [MESHKIN_MT_object]
