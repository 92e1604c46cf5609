"""The settings of the panels, which are saved with the scene."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import contextlib

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from meshkin.dataset.options import DatasetOptions, LookOptions
from meshkin.families.options import FamilyOptions
from meshkin.features.options import FeatureOptions
from meshkin.matching.options import MatchOptions
from meshkin.paint.options import PaintOptions, SubjectOptions
from meshkin.parts.options import PartOptions
from meshkin.pictures.options import PictureOptions
from meshkin.transfer.attributes.options import AttributeOptions
from meshkin.transfer.texture.options import TextureOptions
from meshkin.transfer.weights.options import WeightOptions
from meshkin.video.options import VideoOptions

from ..base import members, status
from ..base.operators import SURFACES
from ..base.properties import with_options
from ..transfer.operators import kinds_property

OPTION_GROUPS = {
    "Features": FeatureOptions,
    "Textures": TextureOptions,
    "Weights": WeightOptions,
    "Attributes": AttributeOptions,
}
"""Groups of options that the panels show, by their headings."""


def _has_surface(self: SceneSettings, obj: bpy.types.Object) -> bool:
    return obj.type in SURFACES and obj.name in self.id_data.objects


def _can_be_picked(self: SceneSettings, obj: bpy.types.Object) -> bool:
    return obj.type in (*SURFACES, "ARMATURE", "EMPTY") and obj.name in self.id_data.objects


def _source_picked(self: SceneSettings, context: bpy.types.Context) -> None:
    members.has_picked(self, "source")


def _target_picked(self: SceneSettings, context: bpy.types.Context) -> None:
    members.has_picked(self, "target")


def _redraw_lines(self: SceneSettings, context: bpy.types.Context) -> None:
    if status.lines_shown():
        status.scene_module("display.lines").refresh(self.lines)


def _change_look(self: SceneSettings, context: bpy.types.Context) -> None:
    """Show another look of what is compared; without a match there are no colors to show."""
    if status.compared():
        from meshkin.base.errors import InputError

        with contextlib.suppress(InputError):
            status.scene_module("display.comparison").set_look(self.look.lower())


@with_options(
    *OPTION_GROUPS.values(),
    *(
        MatchOptions,
        PartOptions,
        FamilyOptions,
        PictureOptions,
        DatasetOptions,
        LookOptions,
        PaintOptions,
        SubjectOptions,
        VideoOptions,
    ),
)
class SceneSettings(bpy.types.PropertyGroup):
    """The panels' settings, ``scene.meshkin``: the properties below, and one for each option, by its flat name."""

    source: PointerProperty(
        name="Source",
        description="Character to transfer from: any of its meshes, its armature or its empty stands for all of it",
        type=bpy.types.Object,
        poll=_can_be_picked,
        update=_source_picked,
    )
    target: PointerProperty(
        name="Target",
        description="Character to transfer to: any of its meshes, its armature or its empty stands for all of it",
        type=bpy.types.Object,
        poll=_can_be_picked,
        update=_target_picked,
    )
    source_collection: PointerProperty(type=bpy.types.Collection, options={"HIDDEN"})
    target_collection: PointerProperty(type=bpy.types.Collection, options={"HIDDEN"})
    source_members: CollectionProperty(type=members.MESHKIN_PG_member, options={"HIDDEN"})
    target_members: CollectionProperty(type=members.MESHKIN_PG_member, options={"HIDDEN"})
    source_index: IntProperty(options={"HIDDEN"})
    target_index: IntProperty(options={"HIDDEN"})
    picked_with: StringProperty(options={"HIDDEN"})
    through: PointerProperty(
        name="Through",
        description="Reference object of a set: objects are matched through it, so that all matches of the set agree; "
        "empty: match directly",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    kinds: kinds_property()
    look: EnumProperty(
        name="Compare",
        description="How source and target are compared",
        items=(
            ("TEXTURES", "Textures", "With their materials"),
            ("COLORS", "Colors", "With the same color at matching points"),
            ("CONFIDENCE", "Confidence", "By the confidence of their match"),
        ),
        update=_change_look,
    )
    lines: IntProperty(
        name="Lines",
        description="Number of lines to draw, spread evenly over the source",
        default=60,
        min=1,
        soft_max=500,
        max=5000,
        update=_redraw_lines,
    )
    family_collection: PointerProperty(
        name="Collection",
        description="Collection of similar meshes to learn a family from: at least two of one kind, in any pose",
        type=bpy.types.Collection,
    )
    family_name: StringProperty(name="Name", description="What to call the family; empty: as the collection")
    dataset_collection: PointerProperty(
        name="Objects",
        description="Collection of the objects that pictures are taken of; everything else in the scene is beside them",
        type=bpy.types.Collection,
    )
    dataset_template: PointerProperty(
        name="Key Points Of",
        description="Object whose key points are carried to the others first, where they lack them; empty: none",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    dataset_folder: StringProperty(name="Folder", description="Gets the data set", subtype="DIR_PATH")
    photo: StringProperty(name="Photo", description="Photo to match to the target", subtype="FILE_PATH")
    photo_mask: StringProperty(
        name="Mask",
        description="Image that is white where the photo shows the object; empty: use the photo's transparency or, "
        "without it, cut out what looks like the target",
        subtype="FILE_PATH",
    )
    video: StringProperty(
        name="Video",
        description="Movie to follow, or one picture of a numbered sequence",
        subtype="FILE_PATH",
    )
    video_mask: StringProperty(
        name="Masks",
        description="Movie or numbered pictures that are white where the video shows the character, or one picture "
        "that says it for one frame; empty: use the pictures' transparency or, without it, cut out what looks like the "
        "target",
        subtype="FILE_PATH",
    )
    photo_flip: BoolProperty(
        name="Other Side",
        description="Match the photo as if it showed the target from the other side that it may show",
    )


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def forget_deleted(*_: object) -> None:
    """Let go of picked objects that were deleted: a picked object would stay in the file for ever, with its meshes."""
    deleted = set()
    for scene in bpy.data.scenes:
        for name in ("source", "target", "through"):
            obj = getattr(scene.meshkin, name)
            if obj is not None and not obj.users_scene and scene.library is None:
                deleted.add(obj)
                setattr(scene.meshkin, name, None)
        for role in members.ROLES if scene.library is None else ():
            listed = getattr(scene.meshkin, f"{role}_members")
            for index in reversed(range(len(listed))):
                obj = listed[index].object
                if not (obj and obj.users_scene):
                    deleted |= {obj} if obj else set()
                    listed.remove(index)
    bpy.data.batch_remove([obj for obj in deleted if not obj.users])  # as Blender does with what nothing uses
