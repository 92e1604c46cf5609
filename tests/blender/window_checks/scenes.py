"""Scenes to press buttons in, and what they hold."""

from __future__ import annotations

from typing import Any

import bpy

from .hands import Wait, view


def two_cubes() -> Wait:
    """A file with two cubes, picked as source and target; the target is beside the source, and turned."""
    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    one = bpy.data.objects["Cube"]
    two = one.copy()
    two.data, two.name = one.data.copy(), "Twin"
    bpy.context.scene.collection.objects.link(two)
    two.location.x, two.rotation_euler.z = 4, 0.3
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = one, two
    window, area, region = view()
    area.spaces.active.show_region_ui = False  # it would cover what is clicked
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield 1.0
    bpy.ops.ed.undo_push(message="Two cubes")


def real_pair(subdivisions: int = 4) -> Wait:
    """Two creatures, the first with a rig, weights, a texture and an action, picked as source and target."""
    from helpers.creatures import add_height_values, creature, renumber
    from helpers.rigged import new_armature
    from helpers.skins import add_image_material
    from meshkin.scene.rig import binding

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    source, target = creature("body", subdivisions=subdivisions), creature("twin", 1.2, subdivisions=subdivisions)
    target.location.x = 5
    renumber(target)  # else they would be known by their base mesh, and jobs over in no time
    add_height_values(source)
    add_image_material(source, bpy.data.images.new("skin", 64, 64))
    rig = new_armature("rig", {"lower": ((0, 0, -1), (0, 0, 0), None), "upper": ((0, 0, 0), (0, 0, 1), "lower")})
    binding.bind(source, rig)
    for frame, angle in ((1, 0.0), (10, 0.3)):
        rig.pose.bones["upper"].rotation_mode = "XYZ"
        rig.pose.bones["upper"].rotation_euler.x = angle
        rig.pose.bones["upper"].keyframe_insert("rotation_euler", frame=frame)
    settings = bpy.context.scene.meshkin
    settings.source, settings.target, settings.features, settings.nearness = source, target, "geometric", "never"
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="The pair")


def two_characters() -> Wait:
    """Two characters of several meshes beside each other, neither picked; the first has a rig and a texture."""
    from helpers.characters import dressed, rig
    from helpers.skins import add_image_material

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    source, target = dressed(), dressed("new ", 5.0)
    rig("rig", source)
    root = bpy.data.objects.new("root", None)
    bpy.context.scene.collection.objects.link(root)
    for obj in target.values():
        obj.parent = root
    for obj in source.values():
        add_image_material(obj, bpy.data.images.new("skin", 64, 64))
    settings = bpy.context.scene.meshkin
    settings.features, settings.kinds = "geometric", {"texture", "weights", "armature"}
    window, area, region = view()
    area.spaces.active.show_region_ui = False  # it would cover what is clicked
    bpy.ops.object.select_all(action="DESELECT")
    with bpy.context.temp_override(window=window, area=area, region=region):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_all()
    yield 1.0


def seen() -> dict[str, Any]:
    """The scene and what the 3D view shows of it."""
    _, area, _ = view()
    space, layer = area.spaces.active, bpy.context.view_layer
    names = ("objects", "meshes", "collections", "texts", "materials")
    turn = [round(value, 3) for row in space.region_3d.view_matrix for value in row]
    return {
        **{name: sorted(block.name for block in getattr(bpy.data, name)) for name in names},
        "view": (turn, round(space.region_3d.view_distance, 3), space.local_view is None, space.shading.type),
        "selected": sorted(obj.name for obj in layer.objects.selected),
        "active": layer.objects.active and layer.objects.active.name,
        "places": {obj.name: tuple(map(tuple, obj.matrix_world)) for obj in bpy.data.objects},
        "shown": sorted(obj.name for obj in layer.objects if obj.visible_in_viewport_get(space)),
    }


def without_angle(scene: dict[str, Any]) -> dict[str, Any]:
    """What was seen, but for where the view looks, which undo does not change, and materials that nothing uses."""
    return {**scene, "view": scene["view"][2:], "materials": []}


def written() -> dict[str, Any]:
    """What jobs write, beside colors of features: all data-blocks, and what lies on the target."""
    names = ("objects", "meshes", "armatures", "materials", "images", "actions", "texts")
    target = bpy.data.objects["twin"]
    return {
        **{name: sorted(block.name for block in getattr(bpy.data, name)) for name in names},
        "groups": [group.name for group in target.vertex_groups],
        "slots": [slot.name for slot in target.material_slots],
        "attributes": sorted(one.name for one in target.data.attributes if not one.name.startswith(".")),
        "modifiers": [modifier.name for modifier in target.modifiers],
        "keys": len(target.data.shape_keys.key_blocks) if target.data.shape_keys else 0,
        "mesh": target.data.name,
    }
