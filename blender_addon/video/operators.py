"""The buttons that let the target's armature follow a video, and show what the video shows over it."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: RUF012

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from meshkin.video.options import VideoOptions

from ..base import status
from ..base.operators import PictureJob, QuickAction, busy, missing
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_fit_video(PictureJob):
    """Let the target follow what the video shows: an action of its armature, and a camera that sees it so"""

    bl_idname = "meshkin.fit_video"
    bl_label = "Fit Action"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "target")
        return reason or ("" if context.scene.meshkin.video else "Choose a video first") or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        video, mask = (bpy.path.abspath(path) if path else "" for path in (settings.video, settings.video_mask))
        job_options = options(context, **values_of(settings, VideoOptions))
        return workflow.fit_video(video, settings.target, job_options, mask)


class MESHKIN_OT_show_outline(QuickAction):
    """Look through the camera of a fitted action and draw the outline that the video shows: red in doubtful frames"""

    bl_idname = "meshkin.show_outline"
    bl_label = "Outline of the Video"
    bl_options = {"REGISTER"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        outlines = status.scene_module("display.outlines")
        if outlines is None:  # drawing must not wait for imports; the property says it, too
            return "" if any("meshkin_outline" in obj for obj in context.scene.objects) else "Fit an action first"
        return "" if outlines.is_shown() or outlines.cameras() else "Fit an action first"

    def act(self, context: bpy.types.Context) -> str:
        from meshkin.scene.display import outlines

        if outlines.is_shown():
            outlines.hide()
        else:
            outlines.show(context.area)
        return ""


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def before_load(*_: object) -> None:
    """Draw no outlines any more before another file is loaded."""
    if outlines := status.scene_module("display.outlines"):
        outlines.hide()


HANDLERS = {"load_pre": (before_load,)}
"""Handlers to register, by their list in ``bpy.app.handlers``."""
CLASSES: list[type] = [MESHKIN_OT_fit_video, MESHKIN_OT_show_outline]
