"""Render the main job's results on the demo's people.

    python pictures.py OUTPUT        (a Python that has bpy, or: blender -b --python pictures.py -- OUTPUT)

opens OUTPUT/demo.blend, puts figures in a row for each picture, with the truth beside the result where it is known, and
renders OUTPUT/*.png with Cycles, which needs no screen. The .blend file is not changed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from meshkin.scene.mesh.attributes import ATTRIBUTE_PREFIX, COLOR
from scene import (
    ACT_FRAME,
    REST_FRAME,
    end_process,
    load,
    new_material,
    say,
    textured,
)

Array = NDArray[np.floating]

WIDTH = 1440
"""Width of the pictures, pixels. Chosen."""
ROW_HEIGHT = 2.5
"""Height that the pictures show, meters. Chosen: taller than all people with their captions."""
STEP = 1.45
"""Distance between two figures, meters. Chosen: wider than outstretched arms."""
CLAY = (0.46, 0.43, 0.40, 1.0)
"""Color of people without a texture, linear RGBA."""


@dataclass(frozen=True)
class Figure:
    """One mesh in a row, rotated by ``turn`` degrees about Z, with a caption at its feet; ``wire`` shows its edges."""

    mesh: bpy.types.Mesh
    caption: str
    turn: float = 0.0
    wire: bool = False


def main(output: Path) -> None:
    people, results, truth = (output / ".cache" / name for name in ("people", "results", "truth"))
    bpy.ops.wm.open_mainfile(filepath=str(output / "demo.blend"), load_ui=False)
    source = bpy.data.collections["Source"].objects[0]
    targets = list(bpy.data.collections["Targets"].objects)
    data = {target.name: load(people / f"{target.name}.npz") for target in targets}
    parts = load(people / "source.npz")["palette"]
    errors = load(truth / "errors.npz")
    for collection in bpy.context.scene.collection.children:
        if collection.name != "Stage":
            collection.hide_render = True
    clay = new_material("Clay", CLAY)
    true_clothes = {name: textured(f"{name}, truth", bpy.data.images.load(str(truth / f"{name}.png"))) for name in data}

    def both_sides(mesh: bpy.types.Mesh, caption: str) -> list[Figure]:
        return [Figure(mesh, caption, -18), Figure(mesh, "", 162)]

    woman = frozen(source)
    figures = [Figure(skeleton(source), f"{len(source.vertex_groups)} bones", -18), *both_sides(woman, source.name)]
    render(output / "1-source.png", [figures[1], figures[2], figures[0]])

    row = []
    for target in targets:
        mesh = frozen(target, clay)
        face_type = "quads" if data[target.name]["faces"].shape[1] == 4 else "triangles"
        row += [Figure(mesh, target.name, -18), Figure(mesh, f"{len(mesh.polygons):,} {face_type}", -18, wire=True)]
    render(output / "2-targets-before.png", row)

    feature = attribute_material("Features", COLOR)
    render(output / "3-features.png", [Figure(frozen(obj, feature), obj.name, -18) for obj in (source, *targets)])

    dressed = {target.name: frozen(target) for target in targets}
    row = [Figure(woman, source.name, -18), *(Figure(mesh, name, -18) for name, mesh in dressed.items())]
    render(output / "4-texture.png", row)
    for target in targets:
        true = frozen(target, true_clothes[target.name])
        row = [
            Figure(mesh, caption, turn)
            for turn in (-18, 162)
            for mesh, caption in ((dressed[target.name], "result"), (true, "truth"))
        ]
        render(output / f"5-texture-{target.name.lower()}.png", row)

    row = [Figure(painted(frozen(source), load(people / "source.npz")["weights"] @ parts), source.name, -18)]
    for target in targets:
        result = np.load(results / f"{target.name}.weights.npy") @ parts
        for colors, caption in ((result, f"{target.name}, result"), (data[target.name]["weights"] @ parts, "truth")):
            row.append(Figure(painted(frozen(target), colors), caption, -18))
    render(output / "6-weights.png", row)

    row = []
    for target in targets:
        moved = frozen(target, frame=ACT_FRAME)
        true = frozen(target, true_clothes[target.name])
        place(true, data[target.name]["acting"])
        row += [Figure(moved, f"{target.name}, result", -18), Figure(true, "truth", -18)]
    render(output / "7-posed.png", row)

    row = []
    for target in targets:
        confidence = np.empty(len(target.data.vertices), np.float32)
        target.data.attributes[ATTRIBUTE_PREFIX + "match_confidence"].data.foreach_get("value", confidence)
        row.append(Figure(painted(frozen(target), heat(1 - confidence)), f"{target.name}, doubt", -18))
        row.append(Figure(painted(frozen(target), heat(errors[target.name] / 25)), "error", -18))
    render(output / "8-doubt-and-error.png", row)


def frozen(
    obj: bpy.types.Object, material: bpy.types.Material | None = None, frame: int = REST_FRAME
) -> bpy.types.Mesh:
    """Return a copy of the object's evaluated mesh at a frame; ``material`` replaces its materials."""
    bpy.context.scene.frame_set(frame)
    mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(bpy.context.evaluated_depsgraph_get()))
    if material:
        mesh.materials.clear()
        mesh.materials.append(material)
    return mesh


def place(mesh: bpy.types.Mesh, vertices: Array) -> None:
    """Move the mesh's vertices, (V, 3)."""
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.update()


def painted(mesh: bpy.types.Mesh, colors: Array) -> bpy.types.Mesh:
    """Give the mesh colors of its vertices, (V, 3), sRGB, and return it."""
    linear = np.column_stack((np.clip(colors, 0, 1) ** 2.2, np.ones(len(colors)))).astype(np.float32)
    mesh.color_attributes.new("Shown", "FLOAT_COLOR", "POINT").data.foreach_set("color", linear.ravel())
    mesh.materials.clear()
    mesh.materials.append(attribute_material("Shown", "Shown"))
    return mesh


def attribute_material(name: str, attribute: str) -> bpy.types.Material:
    """Return a matte material whose base color is an attribute."""
    material = new_material(name, CLAY)
    nodes, links = material.node_tree.nodes, material.node_tree.links
    node = nodes.new("ShaderNodeAttribute")
    node.attribute_name = attribute
    links.new(node.outputs["Color"], nodes["Principled BSDF"].inputs["Base Color"])
    return material


def heat(values: Array) -> Array:
    """Return colors, (V, 3), sRGB, from dark blue at 0 through orange to pale yellow at 1."""
    stops = np.array(
        ((0.10, 0.14, 0.35), (0.45, 0.22, 0.52), (0.90, 0.35, 0.32), (0.99, 0.68, 0.27), (0.99, 0.97, 0.75))
    )
    share = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, share, stops[:, channel]) for channel in range(3)], axis=1)


def skeleton(obj: bpy.types.Object) -> bpy.types.Mesh:
    """Return a mesh of the bones of the object's armature, as octahedra."""
    bpy.context.scene.frame_set(REST_FRAME)
    armature = next(modifier.object for modifier in obj.modifiers if modifier.type == "ARMATURE")
    unit = np.array(((0, 0, 0), (0.09, 0.12, 0), (0, 0.12, 0.09), (-0.09, 0.12, 0), (0, 0.12, -0.09), (0, 1, 0)))
    faces = [(0, 2, 1), (0, 3, 2), (0, 4, 3), (0, 1, 4), (5, 1, 2), (5, 2, 3), (5, 3, 4), (5, 4, 1)]
    vertices: list[list[float]] = []
    triangles: list[tuple[int, ...]] = []
    for bone in armature.pose.bones:
        matrix = np.array(bone.matrix)
        triangles += [tuple(corner + len(vertices) for corner in face) for face in faces]
        vertices += (unit * bone.length @ matrix[:3, :3].T + matrix[:3, 3]).tolist()
    mesh = bpy.data.meshes.new("Skeleton")
    mesh.from_pydata(vertices, [], triangles)
    mesh.materials.append(new_material("Bones", (0.9, 0.62, 0.2, 1)))
    return mesh


def render(path: Path, row: list[Figure]) -> None:
    """Render the figures side by side, left to right."""
    say(f"Rendering {path.name}")
    scene = bpy.context.scene
    shown = bpy.data.collections.new("Shown")
    scene.collection.children.link(shown)
    ink = new_material("Ink", (0.05, 0.05, 0.06, 1))
    middle = (len(row) - 1) / 2
    for index, figure in enumerate(row):
        x = (index - middle) * STEP
        obj = bpy.data.objects.new(figure.caption or "figure", figure.mesh)
        obj.location.x, obj.rotation_euler.z = x, np.radians(figure.turn).item()
        shown.objects.link(obj)
        if figure.wire:
            lines = bpy.data.objects.new("Wire", figure.mesh.copy())
            lines.data.materials.clear()
            lines.data.materials.append(ink)
            lines.location, lines.rotation_euler = obj.location, obj.rotation_euler
            wire = lines.modifiers.new("Wireframe", "WIREFRAME")
            wire.thickness, wire.offset, wire.use_even_offset = 0.0016, 1.0, False
            shown.objects.link(lines)
        if figure.caption:
            text = bpy.data.curves.new("Caption", "FONT")
            text.body, text.align_x, text.size = figure.caption, "CENTER", 0.13
            text.materials.append(ink)
            label = bpy.data.objects.new("Caption", text)
            label.location, label.rotation_euler = (x, -0.95, 0.03), (np.radians(40).item(), 0, 0)
            label.visible_shadow = False
            shown.objects.link(label)
    width = max(len(row) * STEP + 0.2, 3.4)
    camera = scene.camera
    camera.data.lens, camera.data.sensor_width = 85, 36
    distance = width * 85 / 36
    aim = Vector((0, 0, 0.8))
    camera.location = aim + Vector((0, -distance, distance * 0.13))
    camera.rotation_euler = (aim - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.clip_end = 200
    settings = scene.render
    settings.resolution_x, settings.resolution_y = WIDTH, int(WIDTH * ROW_HEIGHT / width)
    settings.resolution_percentage, settings.filepath = 100, str(path)
    settings.image_settings.file_format = "PNG"
    bpy.ops.render.render(write_still=True)
    for obj in list(shown.objects):
        bpy.data.objects.remove(obj)
    bpy.data.collections.remove(shown)


if __name__ == "__main__":
    end_process(lambda: main(Path(sys.argv[-1]).resolve()))
