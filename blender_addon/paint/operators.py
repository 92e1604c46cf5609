"""The button that paints a texture."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy
from bpy.props import BoolProperty

from meshkin.paint.options import PaintOptions
from meshkin.transfer.texture.options import TextureOptions

from ..base import status
from ..base.operators import SceneJob, busy, locked, missing
from ..base.options import options
from ..base.properties import values_of, with_options

if TYPE_CHECKING:
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

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """As every job; what a cancelled one leaves is an undo step, too."""
        result = super().modal(context, event)
        return {"FINISHED"} if result == {"CANCELLED"} and self.paint_keep else result


CLASSES: list[type] = [MESHKIN_OT_paint]
