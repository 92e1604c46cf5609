"""Objects photographed: in random light and in their own or random materials, with what a camera sees there of each.

Everything is drawn from one generator of random numbers, so that a photograph can be taken again. Cycles renders in a
scene of its own; the user's scenes, materials and settings are not touched.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ...data.snapshot import Snapshot
from ...data.views import Passes, Views, frame
from .. import compat
from ..materials.base_colors import as_srgb
from ..materials.emission import feed
from ..mesh import part_labels
from ..mesh.snapshot import evaluated
from ..objects import Handle
from . import cycles, passes
from .emission_materials import emitting_copy

PHOTO_SAMPLES = 16
"""Rays through each pixel of a photograph. Chosen: noise is about that of a camera at dusk."""
BOUNCES = 2
"""How often light is reflected. Chosen."""
AREA_LAMPS = 3
"""Area lamps beside the sun. Chosen."""
LAMP_DISTANCE = (2.0, 4.0)
"""Of the area lamps from the middle of the object, radii of its bounding sphere. Chosen."""
LAMP_SIZE = (0.3, 2.0)
"""Width of the area lamps, likewise."""
HUE = 0.35
"""How far a lamp's color may be from white, by channel. Chosen: from candlelight to a blue sky."""
EXPOSURE = (0.7, 1.1)
"""What the brightest twentieth of the object is exposed to, linear; above 1 it is overexposed. Chosen."""
OWN_MATERIALS = 0.5
"""Share of the photographs that show an object in its own materials. Chosen."""
CLOSENESS = (0.75, 2.0)
"""How large the object is, of what would just fill the picture; above 1 a part of it is seen. Chosen."""
STEEPEST = 60.0
"""Height from which a camera looks down at most, degrees; it looks up from half of that. Chosen."""
PATTERNS = ("ShaderNodeTexNoise", "ShaderNodeTexVoronoi", "ShaderNodeTexWave", "ShaderNodeTexMagic")
"""Textures of random materials."""
PATTERN_SCALE = (0.5, 6.0)
"""Of these, repetitions along the bounding box. Chosen."""


@dataclass(frozen=True)
class PhotographedPair:
    """A photograph and what it shows, uint8 (H, W, 3) each; all but the picture are black on the background.

    Attributes:
        picture: sRGB, on a random background.
        normal: in the camera's frame, ``(n + 1) / 2``.
        depth: white at the nearest point, dark gray at the farthest one.
        albedo: the materials' colors without light and shadow, sRGB.
        parts: a color for each part.
    """

    picture: NDArray[np.uint8]
    normal: NDArray[np.uint8]
    depth: NDArray[np.uint8]
    albedo: NDArray[np.uint8]
    parts: NDArray[np.uint8]


def take(
    handles: Sequence[Handle], surface: Snapshot, labels: NDArray[np.int32], size: int, random: np.random.Generator
) -> PhotographedPair:
    """Photograph objects that belong together from a random side.

    Args:
        handles: the objects.
        surface: their snapshots as they are shown, joined.
        labels: int32 (F,), the part of each of its triangles.
        size: width and height of the picture, pixels.
        random: draws view, lamps, materials and background.

    Raises InputError ``object-gone``, ``render-unavailable``; MeshKinError ``render-refused``; StorageError.
    """
    views = _random_view(surface, size, random)
    seen = _seen(surface, views)
    assert seen.face is not None
    lit, albedo = _shot(handles, surface, views, random)
    depth, face = seen.depth[0], seen.face[0]
    shown = face >= 0
    straight = as_srgb((albedo[..., :3] / np.maximum(albedo[..., 3:], 1e-6)).astype(np.float32)) * shown[..., None]
    return PhotographedPair(
        _bytes(as_srgb(_exposed(lit, _background(size, random), random))),
        passes.normal_picture(seen.normal[0], depth),
        passes.depth_picture(depth),
        _bytes(straight),
        _part_picture(labels, face),
    )


def part_numbers(handles: Sequence[Handle], pieces: Sequence[Snapshot]) -> NDArray[np.int32]:
    """The part of each triangle of some objects' snapshots, joined, int32 (F,).

    Those that *Parts* has found on an object, else its material slots, counted on from object to object.
    """
    found, used = [], 0
    for handle, piece in zip(handles, pieces, strict=True):
        with evaluated(handle.get()) as (_, mesh):
            attribute = part_labels.label_attribute(mesh, part_labels.PART)
            values = None if attribute is None else np.empty(len(mesh.polygons), np.int32)
            if attribute is not None and values is not None:
                attribute.data.foreach_get("value", values)
        if values is not None:
            found.append(values[piece.polygons])
        else:
            found.append(piece.materials.astype(np.int32) + used)
            used += max(len(piece.material_names), 1)
    return np.concatenate(found)


def _seen(surface: Snapshot, views: Views) -> Passes:
    """What the cameras see; no step of its own, as it is one picture."""
    job = passes.render(surface, views)
    while True:
        try:
            next(job)
        except StopIteration as end:
            result: Passes = end.value
            return result


def _random_view(surface: Snapshot, size: int, random: np.random.Generator) -> Views:
    """A camera at a random side and height that sees the object, or a part of it around a random vertex."""
    turn = random.uniform(0, 2 * np.pi)
    height = np.radians(random.uniform(-STEEPEST / 2, STEEPEST))
    direction = np.array([[np.cos(height) * np.cos(turn), np.cos(height) * np.sin(turn), np.sin(height)]])
    views = frame(surface.vertices[np.unique(surface.faces)], direction, size)
    share = float(np.exp(random.uniform(*np.log(CLOSENESS))))
    place = views.project(0, surface.vertices[[_pick(surface.faces[:, 0], random)]])[0][0] / size - 0.5
    room = abs(share - 1) / 2  # the picture stays within the object's square, or this within the picture
    toward = np.array((place[0], -place[1])) * share if share > 1 else random.uniform(-room, room, 2)
    shift = views.shift * share + np.clip(toward, -room, room)
    return replace(views, zoom=views.zoom * share, shift=shift)


def _shot(
    handles: Sequence[Handle], surface: Snapshot, views: Views, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The light that the camera gets, and that of the same materials without light and shadow, (H, W, 4) each."""
    own = bool(random.random() < OWN_MATERIALS)
    temporary: list[bpy.types.ID] = []
    try:
        placed = [_placed(handle, temporary) for handle in handles]
        if not own:
            for mesh, _ in placed:
                _dress(mesh, random, temporary)
        with cycles.stage(placed, surface.location, views, 0) as (scene, new_block, shoot):
            scene.render.use_persistent_data = False  # much changes between the two pictures; Blender 5.2 has crashed
            with _lit(scene, new_block, surface, views, random):
                lit = shoot()
            for mesh, _ in placed:
                for index, material in enumerate(mesh.materials):
                    mesh.materials[index] = emitting_copy(material, temporary) if material else None
            return lit, shoot()
    finally:
        bpy.data.batch_remove(temporary)


def _placed(handle: Handle, temporary: list[bpy.types.ID]) -> tuple[bpy.types.Mesh, Matrix]:
    """A copy of an object's evaluated mesh, with materials in all slots that its faces use, and its place."""
    with evaluated(handle.get()) as (evaluated_object, _):
        mesh = bpy.data.meshes.new_from_object(evaluated_object)
        matrix = evaluated_object.matrix_world.copy()
    temporary.append(mesh)
    if not len(mesh.materials):
        mesh.materials.append(None)
    plain = None
    for index, material in enumerate(mesh.materials):
        if material is None:
            if plain is None:
                plain = bpy.data.materials.new(cycles.PASSES_NAME)
                compat.node_tree(plain)
                temporary.append(plain)
            mesh.materials[index] = plain
    return mesh, matrix


@contextlib.contextmanager
def _lit(
    scene: bpy.types.Scene, new_block: cycles.NewBlock, surface: Snapshot, views: Views, random: np.random.Generator
) -> Iterator[None]:
    """A sun, area lamps and a sky, all random, in a scene; switched off afterward."""
    middle, radius = surface.location + views.center, views.radius
    lamps = []
    for kind in ("SUN", *["AREA"] * AREA_LAMPS):
        light = new_block(bpy.data.lights, kind)
        light.color = _hue(random)
        light.energy = float(random.uniform(0.2, 3.0))
        toward = _toward(random)
        away = random.uniform(*LAMP_DISTANCE)
        if kind == "AREA":
            light.size = float(random.uniform(*LAMP_SIZE)) * radius
            light.energy *= 4 * np.pi * (away * radius) ** 2  # watts that give the irradiance of a sun of this strength
        else:
            light.angle = float(random.uniform(0, 0.5))
        lamp = new_block(bpy.data.objects, light)
        turned = Vector(toward.tolist()).to_track_quat("Z", "Y").to_matrix().to_4x4()  # a lamp shines along -Z
        lamp.matrix_world = Matrix.Translation((middle + toward * away * radius).tolist()) @ turned
        scene.collection.objects.link(lamp)
        lamps.append(lamp)
    scene.world = _sky(new_block, random)
    scene.cycles.samples, scene.cycles.max_bounces = PHOTO_SAMPLES, BOUNCES
    scene.cycles.seed = int(random.integers(2**31))
    yield
    scene.cycles.samples, scene.cycles.max_bounces = cycles.COLOR_SAMPLES, 0
    scene.world = None
    for lamp in lamps:
        lamp.hide_render = True


def _sky(new_block: cycles.NewBlock, random: np.random.Generator) -> bpy.types.World:
    """A world of one color, which lights what no lamp reaches."""
    world = new_block(bpy.data.worlds)
    tree = compat.node_tree(world)
    tree.nodes.clear()
    background, output = tree.nodes.new("ShaderNodeBackground"), tree.nodes.new("ShaderNodeOutputWorld")
    tree.links.new(background.outputs[0], output.inputs[0])
    background.inputs["Color"].default_value = (*_hue(random), 1)
    background.inputs["Strength"].default_value = float(random.uniform(0.05, 0.8))
    return world


def _dress(mesh: bpy.types.Mesh, random: np.random.Generator, temporary: list[bpy.types.ID]) -> None:
    """Give each slot of a mesh a material of random colors in a random pattern."""
    for index in range(len(mesh.materials)):
        material = bpy.data.materials.new(cycles.PASSES_NAME)
        temporary.append(material)
        _paint(compat.node_tree(material), random)
        mesh.materials[index] = material


def _paint(tree: bpy.types.NodeTree, random: np.random.Generator) -> None:
    """Replace the nodes of a tree by a random pattern of random colors."""
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    shader, output = nodes.new("ShaderNodeBsdfPrincipled"), nodes.new("ShaderNodeOutputMaterial")
    links.new(shader.outputs[0], output.inputs["Surface"])
    feed(tree, shader.inputs["Roughness"], float(random.uniform(0.2, 1.0)))
    feed(tree, shader.inputs["Metallic"], float(random.random() < 0.1))
    place, pattern, ramp = (
        nodes.new(kind) for kind in ("ShaderNodeTexCoord", _pick(PATTERNS, random), "ShaderNodeValToRGB")
    )
    links.new(place.outputs["Generated"], pattern.inputs["Vector"])
    pattern.inputs["Scale"].default_value = float(random.uniform(*PATTERN_SCALE))
    value = next(socket for socket in pattern.outputs if socket.enabled)
    links.new(value, ramp.inputs[0])
    links.new(ramp.outputs["Color"], shader.inputs["Base Color"])
    one, two = random.uniform(0.02, 0.9, (2, 3))
    if random.random() < 0.5:  # most things have one hue
        two = one * random.uniform(0.2, 1)
    for element, color, position in zip(ramp.color_ramp.elements, (one, two), (0.4, 0.6), strict=True):
        element.color, element.position = (*color.tolist(), 1), position


def _pick(choices: Sequence[Any] | NDArray[Any], random: np.random.Generator) -> Any:
    return choices[int(random.integers(len(choices)))]


def _toward(random: np.random.Generator) -> NDArray[np.float64]:
    """A random direction, a unit vector, from above more often than from below."""
    direction = random.normal(size=3) + np.array((0, 0, 0.6))
    return np.asarray(direction / np.linalg.norm(direction))


def _hue(random: np.random.Generator) -> tuple[Any, ...]:
    """The color of a lamp, linear RGB."""
    return tuple((1 - random.uniform(0, HUE, 3)).tolist())


def _background(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A random gradient between two colors, linear RGB, (H, W, 3)."""
    one, two = random.uniform(0, 1, (2, 3)) ** 2
    turn = random.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, size)
    share = np.clip(0.5 + across[None] * np.cos(turn) + across[:, None] * np.sin(turn), 0, 1)[..., None]
    return np.asarray(one + share * (two - one))


def _exposed(
    light: NDArray[np.float32], background: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float32]:
    """The object's light (H, W, 4) exposed as a camera does it, before a background; linear RGB (H, W, 3)."""
    covered = light[..., 3] > 0.5
    brightest = np.percentile(light[covered][:, :3].max(axis=1), 95) if covered.any() else 1.0
    scale = random.uniform(*EXPOSURE) / max(float(brightest), 1e-6)
    return np.asarray(light[..., :3] * scale + background * (1 - light[..., 3:]), np.float32)


def _part_picture(labels: NDArray[np.int32], face: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The color of the part in each pixel, uint8 (H, W, 3), by the triangle there (H, W), -1 for none."""
    shown = face >= 0
    picture = np.zeros((*face.shape, 3), np.float32)
    numbers, back = np.unique(labels[face[shown]], return_inverse=True)
    colors = np.array([part_labels.color_of(int(number))[:3] for number in numbers], np.float32).reshape(-1, 3)
    picture[shown] = colors[back.reshape(-1)]
    return _bytes(as_srgb(picture))


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
