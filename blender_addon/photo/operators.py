"""The buttons that match a photo to the target and make it the target's texture."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from meshkin.pictures.options import PictureOptions
from meshkin.transfer.texture.options import TextureOptions

from ..base import status
from ..base.operators import PictureJob, busy, locked, missing
from ..base.options import options
from ..base.properties import values_of

if TYPE_CHECKING:
    from ..base.operators import Steps


def _files(settings: Any) -> tuple[str, str]:
    """Return the paths of the photo and its mask; "" for none."""
    photo, mask = (bpy.path.abspath(path) if path else "" for path in (settings.photo, settings.photo_mask))
    return photo, mask


class MESHKIN_OT_match_photo(PictureJob):
    """Find the point on the target for every pixel of the object in a photo, and show the result as an image"""

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
        return workflow.match_photo(photo, settings.target, options(context, flip=settings.photo_flip), mask)


class MESHKIN_OT_texture_photo(PictureJob):
    """Make the photo the target's texture. What it does not show comes from the mirror side or is filled in"""

    bl_idname = "meshkin.texture_photo"
    bl_label = "Photo as Texture"

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return MESHKIN_OT_match_photo.why_not(context)

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        photo, mask = _files(settings)
        values = {**values_of(settings, TextureOptions), **values_of(settings, PictureOptions)}
        job_options = options(context, flip=settings.photo_flip, **values)
        return workflow.texture_photo(photo, settings.target, job_options, mask)


class PhotoMaps(PictureJob):
    """Base of the operators that read maps from the photo."""

    maps: tuple[str, ...]
    """What is read, of :data:`meshkin.pictures.options.MAPS`."""

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = busy() or ("" if context.scene.meshkin.photo else "Choose a photo first")
        return reason or status.worker_missing

    def target(self, context: bpy.types.Context) -> bpy.types.Object | None:
        """Return what the photo is matched to, or None."""
        return None

    def steps(self, context: bpy.types.Context) -> Steps:
        from meshkin import workflow

        settings = context.scene.meshkin
        photo, mask = _files(settings)
        values = {**values_of(settings, PictureOptions), "map_names": self.maps}
        job_options = options(context, flip=settings.photo_flip, **values)
        return workflow.picture_maps(photo, job_options, mask, self.target(context))


class MESHKIN_OT_remove_light(PhotoMaps):
    """Make an image of the photo's colors without light and shadow. It needs a Marigold model"""

    bl_idname = "meshkin.remove_light"
    bl_label = "Remove Light"
    maps = ("albedo",)


class MESHKIN_OT_depth_and_normals(PhotoMaps):
    """Make images of the photo's depth, fitted to the target if there is one, and normals. It needs Marigold models"""

    bl_idname = "meshkin.depth_and_normals"
    bl_label = "Depth and Normals"
    maps = ("depth", "normal")

    def target(self, context: bpy.types.Context) -> bpy.types.Object | None:
        target = context.scene.meshkin.target
        return target if target and not missing(context, "target") and not locked(target) else None


CLASSES: list[type] = [
    MESHKIN_OT_match_photo,
    MESHKIN_OT_texture_photo,
    MESHKIN_OT_remove_light,
    MESHKIN_OT_depth_and_normals,
]
