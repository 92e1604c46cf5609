"""The button that paints a texture."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty

from meshkin.paint.options import PaintOptions, SubjectOptions
from meshkin.transfer.texture.options import TextureOptions

from ..base import status
from ..base.operators import SceneJob, busy, locked, missing
from ..base.options import options
from ..base.properties import values_of, with_options

if TYPE_CHECKING:
    from meshkin.workflow import Report

    from ..base.operators import Steps


@with_options(PaintOptions)
class MESHKIN_OT_paint(SceneJob):
    """Paint a new texture for the target from words, and from the photo if wanted, in a new material"""

    bl_idname = "meshkin.paint"
    bl_label = "Paint"

    with_photo: BoolProperty(name="Use Photo", description="Paint from the photo of the panel Photo, too")

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or missing(context, "target") or locked(context.scene.meshkin.target)
        return reason or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        values = {**values_of(settings, TextureOptions), **values_of(self, PaintOptions)}
        paths = (settings.photo, settings.photo_mask) if self.with_photo else ("", "")
        photo, mask = (bpy.path.abspath(path) if path else "" for path in paths)
        job_options = options(context, flip=settings.photo_flip, **values)
        return workflow.paint(settings.target, job_options, photo, mask)

    def ends_early(self) -> bool:
        """Return whether Esc keeps what is there, finished."""
        return bool(self.paint_keep)


class MESHKIN_OT_learn_subject(SceneJob):
    """Learn the thing on the photo, so that textures show it, and paint with it from now on. Pressed again after it was
    canceled, it goes on where it was"""

    bl_idname = "meshkin.learn_subject"
    bl_label = "Learn Subject"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        settings = context.scene.meshkin
        reason = busy() or ("" if settings.photo else "Choose a photo first")
        if not reason and not settings.subject_name.strip():
            reason = "Say what the photo shows first"
        return reason or status.worker_missing

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        values = {**values_of(settings, SubjectOptions), **values_of(settings, PaintOptions)}
        photo, mask = (bpy.path.abspath(path) if path else "" for path in (settings.photo, settings.photo_mask))
        return workflow.learn_subject(photo, "", options(context, **values), mask)

    def _finished(self, report: Report) -> set[str]:
        bpy.context.scene.meshkin.paint_subject = report.data["output"]
        return super()._finished(report)


CLASSES: list[type] = [MESHKIN_OT_paint, MESHKIN_OT_learn_subject]
