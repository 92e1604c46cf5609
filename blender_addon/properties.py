"""What the panel's fields hold; saved with the scene."""
# Blender's classes have no types, and its property annotations are calls.
# mypy: disable-error-code="misc, valid-type"

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from . import status

SURFACES = {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES"}
"""Types of objects that can have a surface."""


def _has_surface(self: Settings, obj: bpy.types.Object) -> bool:
    return obj.type in SURFACES and obj.name in self.id_data.objects


def _redraw_lines(self: Settings, context: bpy.types.Context) -> None:
    if status.lines_shown():
        status.scene_module("display.lines").refresh(self.lines)


def texture_size() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Texture Size",
        description="Width and height of the new texture",
        default=2048,
        min=16,
        max=16384,
        subtype="PIXEL",
    )


def margin() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Margin",
        description="How far each UV island is grown, against seams",
        default=8,
        min=0,
        max=256,
        subtype="PIXEL",
    )


CHANNELS = (
    ("base_color", "Base Color", "With the alpha, where that is chosen too"),
    ("roughness", "Roughness", ""),
    ("metallic", "Metallic", ""),
    ("normal", "Normal", "Normal maps, turned into the target's tangent space, and bumps"),
    ("emission", "Emission", ""),
    ("alpha", "Alpha", ""),
    ("displacement", "Displacement", ""),
    ("other", "Other", "Specular, subsurface, transmission, coat, sheen, thin film"),
)


def channels() -> object:
    """Which parts of a material are carried over."""
    return EnumProperty(
        name="Channels",
        description="Which parts of the material are carried over",
        items=CHANNELS,
        options={"ENUM_FLAG"},
        default={name for name, _, _ in CHANNELS},
    )


KINDS = (
    ("attributes", "Attributes", "Named attributes of points, edges, faces and corners, vertex colors among them"),
    ("materials", "Face Materials", "Which material each face has, by majority"),
    ("uvs", "UV Maps", "The source's UV maps, as new ones"),
    ("shape_keys", "Shape Keys", "Turned and scaled into the target's own frames"),
    ("detail", "Sculpted Detail", "What is small of the source's shape, as a shape key"),
    ("hair", "Hair", "Hair curves that grow on the source, as new ones that grow on the target"),
)


def kinds() -> object:
    """What else lives on a surface and is carried over."""
    return EnumProperty(
        name="Kinds",
        description="What is carried over",
        items=KINDS,
        options={"ENUM_FLAG"},
        default={"attributes"},
    )


def texture_threshold() -> object:
    """Confidence below which a texture is filled in."""
    return FloatProperty(
        name="Threshold",
        description="Where the match is trusted less than this, textures are filled in from around; 0: copied as is",
        default=0,
        min=0,
        max=1,
        subtype="FACTOR",
    )


def map_smoothing() -> object:
    """How far the map's detail is evened out."""
    return FloatProperty(
        name="Smooth Map",
        description="Evens out the match (not the picture) within this share of the object's size, in hundredths",
        default=0,
        min=0,
        max=100,
        soft_max=20,
    )


def unwrap() -> object:
    """How a target without UVs is unwrapped."""
    return EnumProperty(
        name="Unwrap",
        description="How a target without a UV map gets one",
        items=(
            ("smart", "Smart UV Project", "Blender's own: many islands, no stretch"),
            ("xatlas", "xatlas", "Fewer, larger islands; takes longer"),
        ),
    )


def tiles() -> object:
    """What UVs outside the unit square mean."""
    return EnumProperty(
        name="Tiles",
        description="What UVs of the target outside the unit square mean",
        items=(
            ("auto", "Automatic", "UDIM tiles, if the layout looks like it"),
            ("udim", "UDIM", "A picture for each tile"),
            ("one", "Repeat", "One picture, repeated"),
        ),
    )


def limit() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Limit", description="Most vertex groups that a vertex may be weighted to", default=4, min=1, max=32
    )


def smoothing() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return IntProperty(
        name="Smoothing",
        description="How often each vertex's weights are averaged with its neighbors'",
        default=0,
        min=0,
        max=100,
        soft_max=20,
    )


def threshold() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return FloatProperty(
        name="Threshold",
        description="Confidence from which the match is relied on for weights; the rest is inpainted",
        default=0.4,
        min=0,
        max=1,
        subtype="FACTOR",
    )


def nearness() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return EnumProperty(
        name="Nearness",
        description="Whether weights come from the nearest point of the source instead of the match",
        items=(
            ("auto", "Automatic", "Where the target lies on the source: clothes, hair, eyes"),
            ("always", "Nearest Point", "Always from the nearest point that faces the same way"),
            ("never", "Match", "Always through the match"),
        ),
    )


def way() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return EnumProperty(
        name="Way",
        description="How weights come over where they do not come by nearness",
        items=(
            ("auto", "Automatic", "The match; where it is doubtful, whichever does better on parts of the source"),
            ("map", "Match", "Through the match"),
            ("features", "Features", "Learned on the source from its features; for shapes without a good match"),
        ),
    )


def groups() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return EnumProperty(
        name="Groups",
        description="Which of the source's vertex groups are carried",
        items=(
            ("deform", "Deforming Bones", "Groups of deforming bones; all groups where no armature poses the source"),
            ("all", "All", "Every vertex group"),
            ("selected", "Selected Bones", "Groups of the bones selected in the source's armature"),
            ("active", "Active", "The active vertex group"),
        ),
    )


def mix() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return FloatProperty(
        name="Mix",
        description="How much of the new weights is taken; the rest are the target's own",
        default=1,
        min=0,
        max=1,
        subtype="FACTOR",
    )


def mask() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return StringProperty(name="Mask", description="Vertex group of the target that limits where weights are written")


def pattern() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return StringProperty(name="Names", description="Only groups whose names fit, as in DEF-*; several between spaces")


def rename() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return StringProperty(
        name="Rename", description="Groups that are called otherwise on the target: old = new, several between commas"
    )


def mirrored() -> object:
    """The property of this name, the same on the panel and on the operator."""
    return BoolProperty(
        name="Both Sides", description="Create the empty group of the other side too, as mirroring needs", default=True
    )


WEIGHTS = (
    "limit",
    "smoothing",
    "threshold",
    "nearness",
    "way",
    "groups",
    "pattern",
    "rename",
    "mix",
    "mask",
    "mirrored",
)
"""Settings of a transfer of weights, by their names on the panel, on the operator and in the library."""


class Settings(bpy.types.PropertyGroup):
    """The panel's fields (``scene.meshkin``)."""

    source: PointerProperty(
        name="Source",
        description="The object that gives",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    target: PointerProperty(
        name="Target",
        description="The object that receives",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    through: PointerProperty(
        name="Through",
        description="Reference of a set: every match goes by way of it, so that all of the set agree. Empty: directly",
        type=bpy.types.Object,
        poll=_has_surface,
    )
    lines: IntProperty(
        name="Lines",
        description="Lines drawn, spread evenly over the source",
        default=60,
        min=1,
        soft_max=500,
        max=5000,
        update=_redraw_lines,
    )
    features: EnumProperty(
        name="Features",
        description="How points are described, so that their kin can be found",
        items=(
            ("auto", "Automatic", "The best that the models at hand allow"),
            ("dinov2", "DINOv2", "What an image model sees in renders of the object"),
            ("diff3f", "Diff3F", "What Stable Diffusion paints on the object; needs its models and a graphics card"),
            ("diff3f+geometric", "Diff3F and Geometric", "What Stable Diffusion paints on the object, and its shape"),
            (
                "sd_dino",
                "SD+DINO",
                "What Stable Diffusion and DINOv2 see in its own materials; needs their models",
            ),
            ("geometric", "Geometric", "The shape alone; needs no model"),
        ),
    )
    prompt: StringProperty(
        name="Prompt", description="What the objects are, for Diff3F; empty: what each is called", default=""
    )
    negative_prompt: StringProperty(
        name="Not", description="What Diff3F is not to paint; empty: what the profile says", default=""
    )
    profile: EnumProperty(
        name="Profile",
        description="How Diff3F paints",
        items=(
            ("fast", "Fast", "24 views, 8 steps each"),
            ("reference", "Reference", "As published: 50 views, 24 steps in two branches each"),
        ),
    )
    seed: IntProperty(name="Seed", description="Of what Diff3F paints", default=60, min=0)
    without: StringProperty(
        name="Without", description="Numbers of views to leave out, as the contact sheet shows them: 3, 7"
    )
    photo: StringProperty(name="Photo", description="The photograph to match to the target", subtype="FILE_PATH")
    photo_mask: StringProperty(
        name="Mask",
        description="Image that is white where the photo shows the object; empty: the photo's transparency, or what "
        "looks like the target",
        subtype="FILE_PATH",
    )
    style: EnumProperty(
        name="Style",
        description="What the pictures of each object show",
        items=(
            ("DEFAULT", "Default", "What the features are made for"),
            ("normal", "Normals", "The direction of the surface as a color"),
            ("shading", "Shading", "Gray, in soft light"),
            ("textured", "Textured", "The object's own materials in even light"),
        ),
    )
    views: IntProperty(
        name="Views", description="Pictures taken of each object; 0: the default", default=0, min=0, max=512
    )
    resolution: IntProperty(
        name="Resolution",
        description="Width and height of each picture; 0: what the features want",
        default=0,
        min=0,
        max=8192,
        subtype="PIXEL",
    )
    texture_size: texture_size()
    margin: margin()
    limit: limit()
    smoothing: smoothing()
    threshold: threshold()
    nearness: nearness()
    way: way()
    groups: groups()
    pattern: pattern()
    rename: rename()
    mix: mix()
    mask: mask()
    mirrored: mirrored()
