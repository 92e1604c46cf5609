"""Photographs matched to the target, and the pictures that the models look at."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from . import status
from .operators import _busy, _locked, _missing, _options, _picked, _SceneJob

if TYPE_CHECKING:
    from meshkin.workflow import Report

    from .operators import Steps


class _Pictured(_SceneJob):
    """Base of the jobs whose result is a picture: it is shown, in a window of its own where no editor is open."""

    def _finished(self, report: Report) -> set[str]:
        result = super()._finished(report)
        if not bpy.app.background:
            from meshkin.scene import sheets

            names = [report.data["image"]] if "image" in report.data else list(report.data["images"].values())
            sheets.open_editor(names[-1])
        return result


class MESHKIN_OT_match_photo(_Pictured):
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


class MESHKIN_OT_texture_photo(_Pictured):
    """Give the target the photo as its texture: where it shows the target, else from the mirror twin, else filled in"""

    bl_idname = "meshkin.texture_photo"
    bl_label = "Photo as Texture"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return MESHKIN_OT_match_photo.why_not(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        photo, mask = (bpy.path.abspath(path) if path else "" for path in (settings.photo, settings.photo_mask))
        options = _options(context, texture_size=settings.texture_size, margin=settings.margin)
        return workflow.texture_photo(photo, settings.target, options, mask)


class MESHKIN_OT_show_pictures(_Pictured):
    """Show what the models see of source and target, every view with its number: any can be left out"""

    bl_idname = "meshkin.show_pictures"
    bl_label = "Show Pictures"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = _busy() or _missing(context, *_picked(settings))
        return reason or ("Shape alone: no pictures" if settings.features == "geometric" else status.worker_missing)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        objects = [getattr(settings, name) for name in _picked(settings)]
        return workflow.pictures(objects, _options(context))


CLASSES: list[type] = [MESHKIN_OT_match_photo, MESHKIN_OT_texture_photo, MESHKIN_OT_show_pictures]
