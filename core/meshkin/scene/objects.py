"""Objects remembered across events: a pointer into Blender's data does not survive an undo or a deletion."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..errors import InputError


@dataclass(frozen=True)
class Handle:
    """Names one object so that it can be found again later.

    Attributes:
        name: for messages.
        uid: Blender's ``session_uid``, the same for as long as the file is open, also across undo.
    """

    name: str
    uid: int

    @staticmethod
    def of(obj: bpy.types.Object) -> Handle:
        """The handle of an object."""
        return Handle(obj.name, int(obj.session_uid))

    def get(self) -> bpy.types.Object:
        """The object; raises InputError ``object-gone`` when it was deleted meanwhile."""
        for obj in bpy.data.objects:
            if obj.session_uid == self.uid:
                return obj
        raise InputError(
            "object-gone", f"“{self.name}” is not in the file any more.", "Choose an object and start again."
        )

    def sharing(self) -> list[str]:
        """Names of the other objects that have the same mesh."""
        obj = self.get()
        return [one.name for one in bpy.data.objects if one.data == obj.data and one != obj]


FEATURES_PROPERTY = "meshkin_features"
"""Custom property of an object: the cache key of the features that its attributes show."""


def described(but: list[Handle]) -> list[bpy.types.Object]:
    """The file's other objects that carry features."""
    uids = {handle.uid for handle in but}
    return [obj for obj in bpy.data.objects if FEATURES_PROPERTY in obj and obj.session_uid not in uids]
