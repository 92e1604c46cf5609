"""The buttons that pick source and target, and the button that stops a job."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..base import driver, members
from ..base.operators import Explained, busy


class MESHKIN_OT_pick(Explained, bpy.types.Operator):
    """Pick source and target from the selection: the active object is of the target, the other one of the source. Any
    object of a character stands for all of it"""

    bl_idname = "meshkin.pick"
    bl_label = "Pick Selected"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        if members.any_selected_pair(context) is None:
            return "Select two characters, the target last"
        return ""

    def execute(self, context: bpy.types.Context) -> set[str]:
        pair = members.any_selected_pair(context)
        assert pair is not None
        members.pick(context.scene.meshkin, pair)
        return {"FINISHED"}


class MESHKIN_OT_pick_collection(Explained, bpy.types.Operator):
    """Pick this collection: all of its meshes are one character"""

    bl_idname = "meshkin.pick_collection"
    bl_label = "Pick Collection"
    bl_options = {"REGISTER", "UNDO"}

    role: StringProperty(name="Role", description="“source” or “target”", default=members.ROLES[0])
    collection: StringProperty(name="Collection", description="Name of the collection")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        from meshkin.scene import characters

        collection, settings = bpy.data.collections.get(self.collection), context.scene.meshkin
        found = characters.candidates(collection) if collection else []
        if not found or self.role not in members.ROLES:
            self.report({"WARNING"}, f"The collection “{self.collection}” has no meshes")
            return {"CANCELLED"}
        setattr(settings, f"{self.role}_collection", collection)
        setattr(settings, self.role, characters.shown(found, collection)[0])
        return {"FINISHED"}


class _CollectionMenu:
    """Mixin of the menus that list the scene's collections; ``role`` is what one of them is picked as."""

    bl_label = "Collection"
    layout: bpy.types.UILayout
    role: str

    def draw(self, context: bpy.types.Context) -> None:
        for collection in context.scene.collection.children_recursive:
            button = self.layout.operator(
                "meshkin.pick_collection", text=collection.name, icon="OUTLINER_COLLECTION", translate=False
            )
            button.role, button.collection = self.role, collection.name


class MESHKIN_MT_source(_CollectionMenu, bpy.types.Menu):
    """A collection as the source."""

    bl_idname = "MESHKIN_MT_source"
    role = "source"


class MESHKIN_MT_target(_CollectionMenu, bpy.types.Menu):
    """A collection as the target."""

    bl_idname = "MESHKIN_MT_target"
    role = "target"


class MESHKIN_OT_swap(Explained, bpy.types.Operator):
    """Exchange source and target"""

    bl_idname = "meshkin.swap"
    bl_label = "Swap"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        return "" if settings.source or settings.target else "Pick a source or a target first"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = context.scene.meshkin
        collections = settings.source_collection, settings.target_collection
        settings.source_collection = settings.target_collection = None
        settings.source, settings.target = settings.target, settings.source
        settings.target_collection, settings.source_collection = collections
        members.update(settings)
        return {"FINISHED"}


class MESHKIN_OT_cancel(Explained, bpy.types.Operator):
    """Stop the running job and leave the scene unchanged (Esc)"""

    bl_idname = "meshkin.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if driver.running else "No job is running"

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.cancel()
        return {"FINISHED"}


class MESHKIN_OT_dismiss(Explained, bpy.types.Operator):
    """Close this report"""

    bl_idname = "meshkin.dismiss"
    bl_label = "Close Report"
    bl_options = {"INTERNAL"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return "" if driver.outcome else "There is no report"

    def execute(self, context: bpy.types.Context) -> set[str]:
        driver.dismiss()
        return {"FINISHED"}


CLASSES: list[type] = [
    MESHKIN_OT_pick,
    MESHKIN_OT_pick_collection,
    MESHKIN_MT_source,
    MESHKIN_MT_target,
    MESHKIN_OT_swap,
    MESHKIN_OT_cancel,
    MESHKIN_OT_dismiss,
]
