"""Objects that go through the main job from end to end, and what a job must leave as it was."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
import pytest

from helpers.creatures import add_height_values
from helpers.skins import add_image_material
from meshkin import workflow
from meshkin.base.errors import MeshKinError
from meshkin.base.progress import finish

GEOMETRIC = workflow.Options(workflow.FeatureOptions("geometric"), texture=workflow.TextureOptions(size=256))
MATCHED = workflow.Options(workflow.FeatureOptions("geometric"), weights=workflow.WeightOptions(nearness="never"))
"""Through the match, also where the two creatures stand in one another."""


def paint(obj: bpy.types.Object) -> None:
    """Give an object an image texture, two vertex groups and an attribute, functions of place."""
    image = bpy.data.images.new("skin", 64, 64)
    ramp = np.ones((64, 64, 4), np.float32)
    ramp[..., 0], ramp[..., 1] = np.meshgrid(np.linspace(0, 1, 64), np.linspace(0, 1, 64))
    image.pixels.foreach_set(ramp.ravel())
    add_image_material(obj, image)
    add_height_values(obj)


def state() -> dict[str, Any]:
    """What a job could have changed in the file."""
    groups = (
        "objects",
        "meshes",
        "scenes",
        "collections",
        "materials",
        "images",
        "cameras",
        "lights",
        "worlds",
        "texts",
    )
    layer, scene = bpy.context.view_layer, bpy.context.scene
    return {
        **{name: sorted(item.name for item in getattr(bpy.data, name)) for name in groups},
        "attributes": {mesh.name: sorted(one.name for one in mesh.attributes) for mesh in bpy.data.meshes},
        "groups": {obj.name: [group.name for group in obj.vertex_groups] for obj in bpy.data.objects},
        "slots": {obj.name: [slot.name for slot in obj.material_slots] for obj in bpy.data.objects},
        "selected": [obj.name for obj in layer.objects.selected],
        "active": layer.objects.active and (layer.objects.active.name, layer.objects.active.mode),
        "scene": (scene.name, scene.render.engine, scene.frame_current, scene.view_settings.view_transform),
        "properties": {obj.name: sorted(obj.keys()) for obj in bpy.data.objects},
    }


def refused(job: workflow.Steps, kind: type[MeshKinError], code: str) -> None:
    """The job fails with this error, which says what to do, and changes nothing."""
    before = state()
    with pytest.raises(kind) as caught:
        finish(job)
    assert caught.value.code == code
    assert caught.value.message.endswith((".", "\n"))
    assert caught.value.fix
    assert state() == before
