"""Photographs matched to the target, and the pictures that the models look at."""
# Blender's classes have no types.
# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from . import status
from .common import SceneJob, busy, locked, missing, options, picked, picked_objects

if TYPE_CHECKING:
    from meshkin.workflow import Report

    from .common import Steps


def _files(settings: Any) -> tuple[str, str]:
    """The photo and its mask, or "" for none."""
    photo, mask = (bpy.path.abspath(path) if path else "" for path in (settings.photo, settings.photo_mask))
    return photo, mask


class _Pictured(SceneJob):
    """Base of the jobs whose result is a picture: it is shown, in a window of its own where no editor is open."""

    def _finished(self, report: Report) -> set[str]:
        result = super()._finished(report)
        if not bpy.app.background:
            from meshkin.scene.display import image_editor as sheets

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
        reason = busy() or missing(context, "target") or locked(settings.target)
        return reason or ("" if settings.photo else "Choose a photo first") or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        photo, mask = _files(settings)
        return workflow.match_photo(photo, settings.target, options(context), mask)


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
        photo, mask = _files(settings)
        chosen = options(context, texture_size=settings.texture_size, margin=settings.margin)
        return workflow.texture_photo(photo, settings.target, chosen, mask)


class MESHKIN_OT_show_pictures(_Pictured):
    """Show what the models see of source and target, every view with its number: any can be left out"""

    bl_idname = "meshkin.show_pictures"
    bl_label = "Show Pictures"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = busy() or missing(context, *picked(settings))
        return reason or ("Shape alone: no pictures" if settings.features == "geometric" else status.worker_missing)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        return workflow.pictures(picked_objects(context.scene.meshkin), options(context))


CLASSES: list[type] = [MESHKIN_OT_match_photo, MESHKIN_OT_texture_photo, MESHKIN_OT_show_pictures]
