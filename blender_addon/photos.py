"""Photographs matched to the target, and the pictures that the models look at."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import status
from .operators import _busy, _locked, _missing, _options, _SceneJob

if TYPE_CHECKING:
    from .operators import Steps


class MESHKIN_OT_match_photo(_SceneJob):
    """Find for every pixel of the object in a photo its point on the target, and show it as a picture"""

    bl_idname = "meshkin.match_photo"
    bl_label = "Match Photo"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = _busy() or _missing(context, "target") or _locked(settings.target)
        return reason or ("" if settings.photo else "Choose a photo first") or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        photo, mask = (bpy.path.abspath(path) if path else "" for path in (settings.photo, settings.photo_mask))
        return workflow.match_photo(photo, settings.target, _options(context), mask)


class MESHKIN_PT_photo(bpy.types.Panel):
    """A photo and what it is matched to."""

    bl_idname = "MESHKIN_PT_photo"
    bl_parent_id = "MESHKIN_PT_main"
    bl_label = "Photo"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "MeshKin"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        settings = context.scene.meshkin
        column = layout.column(align=True)
        column.prop(settings, "photo")
        column.prop(settings, "photo_mask")
        layout.operator("meshkin.match_photo", icon="IMAGE_REFERENCE")


CLASSES: list[type] = [MESHKIN_OT_match_photo, MESHKIN_PT_photo]
