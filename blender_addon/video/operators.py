"""The button that lets the target's armature follow a video."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from meshkin.video.options import VideoOptions

from ..base import status
from ..base.operators import PictureJob, busy, missing
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from ..base.operators import Steps


class MESHKIN_OT_fit_video(PictureJob):
    """Let the target's armature follow what the video shows: a new action, and a camera that sees it so"""

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


CLASSES: list[type] = [MESHKIN_OT_fit_video]
