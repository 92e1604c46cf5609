"""Render the manual's pictures of characters.

    python packaging/manual/renders.py DATA [NAME …]        (a Python that has bpy; MESHKIN_WORKER_PYTHON: the worker)

DATA holds characters that may be shown, all of them CC0, as their makers publish them: ``characters/quaternius``,
``characters/kaykit`` and ``characters/mesh2motion`` as .glb files, and ``makehuman`` with ``base.obj``, ``expressions``
and ``proxymeshes``. They are not part of MeshKin. Each picture is matched, transferred and rendered anew; a NAME
renders this one only. Rendering uses Cycles, which needs no screen.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "core"))
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.scene.display import match_colors
from meshkin.scene.mesh.attributes import ATTRIBUTE_PREFIX
from meshkin.scene.rig import binding
from meshkin.worker import client

PICTURES = Path(__file__).parent / "pages" / "pictures"
WIDTH = 960
"""Width of the pictures, pixels. Chosen: as wide as the manual's page."""
SAMPLES = 24
"""Cycles' samples for each pixel. Chosen: clean with denoising."""
LARGE = (1920, 1080)
"""Size of the listing's featured picture, pixels, as extensions.blender.org asks for it."""
QUALITY = 82
"""WebP's quality. Chosen: below 50 kB each."""
GROUND = (0.86, 0.87, 0.89, 1.0)
CLAY = (0.42, 0.40, 0.38, 1.0)
BONE = (0.95, 0.55, 0.10, 1.0)
"""Linear RGBA."""
MARGIN = 1.06
"""Part of a picture beside the figures. Chosen."""
NECK = 1.53
"""Height of the neck of a person 1.8 m tall, meters."""
SKIN = 13380
"""Vertices of MakeHuman's base mesh that are skin, before those of its helpers."""


def main() -> int:
    """Render all pictures, or those that are named; returns the exit code."""
    data, *names = sys.argv[1:]
    PICTURES.mkdir(exist_ok=True)
    for name, make in MAKERS.items():
        if not names or name in names:
            print(f"[manual] {name}", flush=True)
            bpy.ops.wm.read_factory_settings(use_empty=True)
            make(Path(data), name)
    client.stop()
    return 0


def people(data: Path, name: str) -> None:
    """A dressed and rigged person, a bare one, and this one dressed and rigged; their match in colors, too."""
    source = character(data / "characters/quaternius/women_Medieval.glb")
    target = bare(character(data / "characters/quaternius/men_Suit.glb"))
    before = copied(target)
    transfer(source, target, ["texture", "weights", "armature"])
    match_colors.paint(source, [target])
    match_colors.paint_confidence(source, target)
    for suffix, attribute in (("same-color", "match_color"), ("confidence", "match_confidence_color")):
        shown = [colored(copied(obj), ATTRIBUTE_PREFIX + attribute) for obj in (source, target)]
        picture(suffix, shown if suffix == "same-color" else [shown[1], shown[1]], turns=(-18, 162))
    for obj in (source, target):
        stride(rig_of(obj))
    picture(name, [source, before, target])
    picture(name, [source, before, target], path=ROOT / "packaging" / "listing" / "featured.jpg")


def adventurers(data: Path, name: str) -> None:
    """Dress a Game Character: the look of one adventurer on another."""
    source = character(data / "characters/kaykit/Knight.glb", ("Knight_",))
    target = bare(character(data / "characters/kaykit/Rogue.glb", ("Rogue_",), ("Cape",)))
    before = copied(target)
    transfer(source, target, ["texture"])
    picture(name, [source, before, target], turns=(-25,))


def animals(data: Path, name: str) -> None:
    """Rig a Creature: the armature of a fox in a dog."""
    source = character(data / "characters/mesh2motion/fox-fox.glb")
    target = bare(character(data / "characters/mesh2motion/fox-dog.glb"))
    before = copied(target)
    transfer(source, target, ["weights", "armature"])
    shown = [(clear(obj), skeleton(obj)) for obj in (source, target)]
    picture(name, [shown[0], before, shown[1]], turns=(65,))


def faces(data: Path, name: str) -> None:
    """Move Expressions: two keys of a head on a head of another topology."""
    folder = data / "makehuman"
    source = imported(folder / "base.obj")
    cut(source, SKIN)
    source.shape_key_add(name="Basis")
    for key in ("mouth-open", "mouth-corner-puller"):
        add_key(source, key, folder / "expressions" / f"{key}.target")
    target = imported(next((folder / "proxymeshes" / "female_generic").glob("*.obj")))
    for obj in (source, target):
        bare(obj)
        upright(obj)
    transfer(source, target, ["shape_keys"])
    shown = []
    for obj in (source, target):
        for key in obj.data.shape_keys.key_blocks[1:]:
            for other in obj.data.shape_keys.key_blocks[1:]:
                other.value = float(other == key)
            shown.append(head_of(copied(obj)))
    picture(name, shown, turns=(-12,))


MAKERS: dict[str, Callable[[Path, str], None]] = {
    "first-transfer": people,
    "dress": adventurers,
    "rig": animals,
    "expressions": faces,
}
"""What makes each picture; the first one makes those of the match, too."""


def transfer(source: bpy.types.Object, target: bpy.types.Object, what: Sequence[str]) -> None:
    """Transfer and print the report."""
    report = finish(workflow.transfer(source, target, what))
    print(report.summary(), *report.details, sep="\n  ", flush=True)


def character(path: Path, parts: Sequence[str] = (), without: Sequence[str] = ()) -> bpy.types.Object:
    """Return a character's meshes as one object on its armature, at rest, 1.8 m in its longest dimension.

    Args:
        path: the .glb file.
        parts: the beginnings of the names of the meshes that are kept; none keeps all that are skinned.
        without: words in names of meshes that are not kept.
    """
    before = set(bpy.data.objects)
    bpy.ops.import_scene.gltf(filepath=str(path))
    new = [obj for obj in bpy.data.objects if obj not in before]
    kept = [obj for obj in new if obj.type == "MESH" and binding.armature_of(obj)]
    kept = [obj for obj in kept if not parts or obj.name.startswith(tuple(parts))]
    kept = [obj for obj in kept if not any(word in obj.name for word in without)]
    for obj in new:
        if obj.type != "ARMATURE" and obj not in kept:
            bpy.data.objects.remove(obj)
    body = joined(kept)
    body.name = path.stem
    rig = rig_of(body)
    rig.animation_data_clear()
    for bone in rig.pose.bones:
        bone.matrix_basis = Matrix()
    upright(body)
    return body


def imported(path: Path) -> bpy.types.Object:
    """Return the mesh of an .obj file."""
    before = set(bpy.data.objects)
    bpy.ops.wm.obj_import(filepath=str(path))
    return joined([obj for obj in bpy.data.objects if obj not in before])


def joined(objects: Sequence[bpy.types.Object]) -> bpy.types.Object:
    """Return objects joined into the first."""
    bpy.ops.object.select_all(action="DESELECT")
    for obj in objects:
        obj.select_set(True)
    bpy.context.view_layer.objects.active = objects[0]
    if len(objects) > 1:
        bpy.ops.object.join()
    return objects[0]


def upright(obj: bpy.types.Object) -> None:
    """Scale an object, or what it hangs on, to the same size as all others, standing on the ground."""
    root = obj
    while root.parent:
        root = root.parent
    bpy.context.view_layer.update()
    low, high = bounds([obj])
    root.matrix_world = Matrix.Scale(1.8 / max(high - low), 4) @ root.matrix_world
    bpy.context.view_layer.update()
    low, high = bounds([obj])
    middle = (low + high) / 2
    root.matrix_world = Matrix.Translation((-middle.x, -middle.y, -low.z)) @ root.matrix_world
    bpy.context.view_layer.update()


def bounds(objects: Iterable[bpy.types.Object]) -> tuple[Vector, Vector]:
    """Return the least and the greatest corner of what objects show, in the world."""
    graph = bpy.context.evaluated_depsgraph_get()
    corners = []
    for obj in objects:
        mesh = obj.evaluated_get(graph).to_mesh()
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", places)
        matrix = np.array(obj.matrix_world)
        corners.append(places.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    places = np.concatenate(corners)
    return Vector(places.min(axis=0).tolist()), Vector(places.max(axis=0).tolist())


def rig_of(obj: bpy.types.Object) -> bpy.types.Object:
    """Return the armature that poses an object."""
    rig = binding.armature_of(obj)
    assert rig is not None, f"{obj.name} has no armature"
    return rig


def bare(obj: bpy.types.Object) -> bpy.types.Object:
    """Take an object's materials, UV maps, weights and armature away, and give it clay; returns it."""
    obj.data.materials.clear()
    obj.data.materials.append(material("Clay", CLAY))
    obj.vertex_groups.clear()
    for layer in list(obj.data.uv_layers):
        obj.data.uv_layers.remove(layer)
    if rig := binding.armature_of(obj):
        matrix = obj.matrix_world.copy()
        for modifier in [one for one in obj.modifiers if one.type == "ARMATURE"]:
            obj.modifiers.remove(modifier)
        obj.parent = None
        obj.matrix_world = matrix
        bpy.data.objects.remove(rig)
    bpy.context.view_layer.update()
    return obj


def copied(obj: bpy.types.Object) -> bpy.types.Object:
    """Return what an object shows now, as an object without modifiers."""
    mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    copy = bpy.data.objects.new(f"{obj.name}, shown", mesh)
    copy.matrix_world = obj.matrix_world
    bpy.context.scene.collection.objects.link(copy)
    return copy


def stride(rig: bpy.types.Object) -> None:
    """Pose a person: arms down, one hand raised, one step; turns are about the figure's own front."""
    turns = {"UpperArm.L": ("Y", 55), "UpperArm.R": ("Y", 25), "UpperLeg.L": ("X", -18), "UpperLeg.R": ("X", 18)}
    turns |= {"LowerArm.R": ("Y", 70), "LowerLeg.R": ("X", 22), "LowerArm.L": ("X", -20), "Head": ("Z", -15)}
    for name, (axis, degrees) in turns.items():
        bpy.context.view_layer.update()
        bone = rig.pose.bones.get(name)
        if bone is None:
            print(f"no bone {name}: {[bone.name for bone in rig.pose.bones]}")
            continue
        world = rig.matrix_world @ bone.matrix
        turn = Matrix.Rotation(np.radians(degrees).item(), 4, axis)
        head = Matrix.Translation(world.to_translation())
        bone.matrix = rig.matrix_world.inverted() @ head @ turn @ head.inverted() @ world
    bpy.context.view_layer.update()


def cut(obj: bpy.types.Object, count: int) -> None:
    """Remove an object's vertices from the number ``count`` on."""
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_all(action="DESELECT")
    bpy.ops.object.mode_set(mode="OBJECT")
    for vertex in obj.data.vertices:
        vertex.select = vertex.index >= count
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.mesh.select_mode(type="VERT")
    bpy.ops.mesh.delete(type="VERT")
    bpy.ops.object.mode_set(mode="OBJECT")


def head_of(obj: bpy.types.Object) -> bpy.types.Object:
    """Remove what lies below the neck of an object that stands on the ground; returns it."""
    import bmesh  # is there once bpy is loaded

    mesh = bmesh.new()
    mesh.from_mesh(obj.data)
    mesh.transform(obj.matrix_world)
    everything = [*mesh.verts, *mesh.edges, *mesh.faces]
    bmesh.ops.bisect_plane(mesh, geom=everything, plane_co=(0, 0, NECK), plane_no=(0, 0, 1), clear_inner=True)
    obj.matrix_world = Matrix()
    mesh.to_mesh(obj.data)
    mesh.free()
    return obj


def add_key(obj: bpy.types.Object, name: str, path: Path) -> None:
    """Add a shape key from a file of rows of a vertex and its offset."""
    key = obj.shape_key_add(name=name, from_mix=False)
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            vertex, *offset = line.split()
            if int(vertex) < len(obj.data.vertices):
                key.data[int(vertex)].co += Vector(map(float, offset))


def material(name: str, color: Sequence[float], attribute: str = "", alpha: float = 1.0) -> bpy.types.Material:
    """Return a matte material of a color, or of the colors in an attribute."""
    made = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):
        made.use_nodes = True
    nodes, links = made.node_tree.nodes, made.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = tuple(color)
    shader.inputs["Roughness"].default_value = 0.75
    shader.inputs["Alpha"].default_value = alpha
    if attribute:
        node = nodes.new("ShaderNodeAttribute")
        node.attribute_name = attribute
        links.new(node.outputs["Color"], shader.inputs["Base Color"])
    return made


def colored(obj: bpy.types.Object, attribute: str) -> bpy.types.Object:
    """Show an attribute's colors on an object; returns it."""
    obj.data.materials.clear()
    obj.data.materials.append(material("Shown", CLAY, attribute))
    return obj


def clear(obj: bpy.types.Object) -> bpy.types.Object:
    """Return a copy of what an object shows, through which one can see."""
    copy = copied(obj)
    copy.data.materials.clear()
    copy.data.materials.append(material("Glass", CLAY, alpha=0.28))
    return copy


def skeleton(obj: bpy.types.Object) -> bpy.types.Object:
    """Return the bones of an object's armature as a mesh of octahedra."""
    rig = rig_of(obj)
    unit = np.array(((0, 0, 0), (0.13, 0.16, 0), (0, 0.16, 0.13), (-0.13, 0.16, 0), (0, 0.16, -0.13), (0, 1, 0)))
    faces = [(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)]
    vertices: list[list[float]] = []
    triangles: list[tuple[int, ...]] = []
    deforming = {group.name for group in obj.vertex_groups}
    for bone in rig.pose.bones:
        if bone.name in deforming and bone.parent:
            matrix = np.array(bone.matrix)
            triangles += [tuple(corner + len(vertices) for corner in face) for face in faces]
            vertices += (unit * bone.length @ matrix[:3, :3].T + matrix[:3, 3]).tolist()
    mesh = bpy.data.meshes.new("Skeleton")
    mesh.from_pydata(vertices, [], triangles)
    mesh.materials.append(material("Bone", BONE))
    made = bpy.data.objects.new("Skeleton", mesh)
    made.matrix_world = rig.matrix_world
    bpy.context.scene.collection.objects.link(made)
    return made


def picture(
    name: str,
    row: Sequence[bpy.types.Object | tuple[bpy.types.Object, ...]],
    turns: Sequence[float] = (-18,),
    path: Path | None = None,
) -> None:
    """Render figures side by side.

    Args:
        name: of the picture's file.
        row: the figures, from left to right; several objects can be one figure.
        turns: degrees about the vertical axis for each figure, repeated.
        path: the file, if it is not one of the manual's pictures: a large JPEG then.
    """
    figures = [figure if isinstance(figure, tuple) else (figure,) for figure in row]
    shown = [[copied(obj) for obj in figure] for figure in figures]
    for index, figure in enumerate(shown):
        turn = Matrix.Rotation(np.radians(turns[index % len(turns)]).item(), 4, "Z")
        for obj in figure:
            obj.matrix_world = turn @ obj.matrix_world
    bpy.context.view_layer.update()
    x = 0.0
    for figure in shown:
        low, high = bounds(figure)
        for obj in figure:
            obj.matrix_world = Matrix.Translation((x - low.x, 0, 0)) @ obj.matrix_world
        x += (high.x - low.x) + 0.08
    bpy.context.view_layer.update()
    everything = [obj for figure in shown for obj in figure]
    for obj in bpy.context.scene.objects:
        obj.hide_render = obj not in everything
    low, high = bounds(everything)
    render(path or PICTURES / f"{name}.webp", low, high)
    for obj in everything:
        bpy.data.objects.remove(obj)


def lit_world() -> bpy.types.World:
    """Return a world of soft light, with a lighter background."""
    world = bpy.data.worlds.new("World")
    if bpy.app.version < (5, 0):
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    light, shown = nodes["Background"], nodes.new("ShaderNodeBackground")
    light.inputs["Color"].default_value, light.inputs["Strength"].default_value = GROUND, 0.5
    shown.inputs["Color"].default_value = GROUND
    mix = nodes.new("ShaderNodeMixShader")
    links.new(nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"], mix.inputs[0])
    links.new(light.outputs[0], mix.inputs[1])
    links.new(shown.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], next(node for node in nodes if node.type == "OUTPUT_WORLD").inputs["Surface"])
    return world


def render(path: Path, low: Vector, high: Vector) -> None:
    """Render what is between two corners, seen from the front, to a WebP file, or to a JPEG file of :data:`LARGE`."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.transparent_max_bounces = SAMPLES, True, 24
    scene.view_settings.view_transform = "Standard"
    if scene.world is None:
        scene.world = lit_world()
        sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
        sun.data.energy, sun.data.angle = 1.6, 0.3
        sun.rotation_euler = (0.8, 0.15, -0.5)
        scene.collection.objects.link(sun)
        scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
        scene.camera.data.type = "ORTHO"
        scene.collection.objects.link(scene.camera)
    for obj in scene.objects:
        obj.hide_render = obj.hide_render and obj.type != "LIGHT"
    width, height = (high.x - low.x) * MARGIN, (high.z - low.z) * MARGIN
    middle = (low + high) / 2
    camera = scene.camera
    camera.data.ortho_scale = max(width, height)
    camera.location, camera.rotation_euler = (middle.x, low.y - 8, middle.z), (np.pi / 2, 0, 0)
    camera.data.clip_end = 50
    settings = scene.render
    settings.resolution_x, settings.resolution_y = WIDTH, int(WIDTH * height / width)
    if path.suffix == ".jpg":
        settings.resolution_x, settings.resolution_y = LARGE
        camera.data.ortho_scale = max(width, height * LARGE[0] / LARGE[1])
    settings.filepath = str(path)
    if bpy.app.version >= (5, 0):
        settings.image_settings.media_type = "IMAGE"
    settings.image_settings.file_format = {".webp": "WEBP", ".jpg": "JPEG"}[path.suffix]
    settings.image_settings.color_mode, settings.image_settings.quality = "RGB", QUALITY
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # some versions of bpy hang in Python's own shutdown
