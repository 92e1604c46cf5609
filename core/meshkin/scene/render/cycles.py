"""Passes rendered by Cycles with one sample in a temporary scene, where the ``gpu`` module cannot draw.

The triangles have their normals and numbers as mesh attributes; a material writes these to render passes (AOVs), which
no light, filter or color management changes; the passes are read back from an OpenEXR file.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...base.errors import MeshKinError, StorageError
from ...base.storage import readable_failure
from ...base.temporary import temporary_folder
from ...data.views import Views
from .. import compat
from ..arrays import write_vectors
from ..frames import camera_to_unit
from ..objects import remove_data_blocks
from .exr import read_channels

COLOR_SAMPLES = 8
"""Rays through each pixel of a color picture, which may show fine texture; chosen."""
FILTER_WIDTH = 0.01
"""Width of the pixel filter, in pixels: the smallest that Cycles accepts. Every ray passes its pixel's center within
1/200 of a pixel."""
SENSOR_WIDTH = 36.0
"""Of the cameras, mm: Blender's default. The lens is given in sensor widths."""
PASSES_NAME = "MeshKin passes"
"""Name of all temporary data-blocks."""
AOVS = ("x", "y", "z", "face")
"""Names of the render passes: the components of the normal, and the number of the triangle from 1."""
_CHANNELS = ("Depth.Z", *(f"{name}.X" for name in AOVS))
"""Endings of the names that Blender gives the channels of the file."""
_HANDLER_LISTS = (
    *("depsgraph_update_post", "depsgraph_update_pre", "frame_change_post", "frame_change_pre"),
    *("render_cancel", "render_complete", "render_init", "render_post", "render_pre", "render_stats", "render_write"),
)
"""The lists of ``bpy.app.handlers`` that a render calls."""


NewBlock = Callable[..., Any]
"""Makes a temporary data-block in a collection of ``bpy.data``; further arguments are those of its ``new``."""


def is_available() -> bool:
    """Whether Cycles is built into this Blender and enabled."""
    return hasattr(bpy.types.Scene, "cycles")


def pictures(
    corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views, which: Iterable[int]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """Render triangles from some of the views; what is given out is as in
    :func:`meshkin.scene.render.gpu_drawing.pictures`.

    While the iterator is open, a temporary scene is in the file; no other scene is touched.

    Args:
        corners: (F, 3, 3), the triangles in the unit frame.
        normals: (F, 3, 3), a normal at each corner.
        views: the cameras.
        which: numbers of the cameras.

    Raises:
        StorageError: the temporary folder cannot be written.
        MeshKinError: ``render-refused`` when Blender does not render, for instance because it is rendering already.
    """
    with temporary_folder() as folder, readable_failure(folder, "writing to"):
        path = folder / "view.exr"
        with _triangle_scene(corners, normals, views, path) as scene:
            for view in which:
                _aim(scene.camera, views, view)
                render_scene(scene)
                depth, x, y, z, face = read_channels(path, _CHANNELS)
                yield np.stack((x, y, z), axis=-1), np.where(face > 0, depth, 0), face


def colors(
    mesh: bpy.types.Mesh, matrix: Matrix, location: NDArray[np.float64], views: Views, view: int
) -> NDArray[np.float32]:
    """The light that a mesh with emitting materials sends to one camera, (H, W, 4): linear RGB times alpha, and alpha.

    Args:
        mesh: with its materials; it is not changed.
        matrix: of the mesh in the world.
        location: float64 (3,), origin of the snapshot frame in the world.
        views: the cameras.
        view: number of the camera.

    Raises as :func:`pictures`.
    """
    with stage([(mesh, matrix)], location, views, view) as (_, _, shoot):
        return shoot()


@contextlib.contextmanager
def stage(
    placed: Sequence[tuple[bpy.types.Mesh, Matrix]], location: NDArray[np.float64], views: Views, view: int
) -> Iterator[tuple[bpy.types.Scene, NewBlock, Callable[[], NDArray[np.float32]]]]:
    """A scene of its own with meshes before one camera; it is removed afterward.

    Args:
        placed: meshes with their materials, and the matrix of each in the world.
        location, views, view: as :func:`colors`.

    Yields:
        The scene; what makes a data-block in a collection of ``bpy.data`` that is removed with it; and what renders the
        scene, giving what :func:`colors` gives.
    """
    with temporary_folder() as folder, readable_failure(folder, "writing to"):
        path = folder / "view.exr"
        with _empty_scene(views, path) as (scene, new_block):
            scene.cycles.samples, scene.render.film_transparent = COLOR_SAMPLES, True
            scene.cycles.pixel_filter_type = "BOX"
            scene.view_layers[0].use_pass_combined = True
            for mesh, matrix in placed:
                obj = new_block(bpy.data.objects, mesh)
                obj.matrix_world = matrix
                scene.collection.objects.link(obj)
            camera = scene.camera
            _aim(camera, views, view)
            _set_clipping(camera.data, views, views.radius)
            pose = camera.matrix_world.copy()  # from the unit frame to the world
            pose.translation = (np.array(pose.translation) * views.radius + views.center + location).tolist()
            camera.matrix_world = pose

            def shoot() -> NDArray[np.float32]:
                render_scene(scene)
                return np.stack(read_channels(path, tuple(f"Combined.{name}" for name in "RGBA")), axis=-1)

            yield scene, new_block, shoot


@contextlib.contextmanager
def _triangle_scene(
    corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views, path: Path
) -> Iterator[bpy.types.Scene]:
    """A scene with the triangles and a camera that renders into ``path``; it is removed afterward."""
    with _empty_scene(views, path) as (scene, new_block):
        material = new_block(bpy.data.materials)
        _add_aov_nodes(compat.node_tree(material))
        mesh = new_block(bpy.data.meshes)
        _add_triangles(mesh, corners, normals)
        mesh.materials.append(material)
        scene.collection.objects.link(new_block(bpy.data.objects, mesh))
        yield scene


@contextlib.contextmanager
def _empty_scene(views: Views, path: Path) -> Iterator[tuple[bpy.types.Scene, NewBlock]]:
    """A scene with a camera that renders into ``path``, and a function that makes a data-block in a collection of
    ``bpy.data``; the scene and all these data-blocks are removed afterward."""
    temporary: set[int] = set()

    def new_block(collection: bpy.types.bpy_prop_collection, *arguments: object) -> bpy.types.ID:
        block = collection.new(PASSES_NAME, *arguments)
        temporary.add(block.session_uid)
        return block

    try:
        scene = new_block(bpy.data.scenes)
        _set_up(scene, views.resolution, path)
        camera = new_block(bpy.data.cameras)
        camera.sensor_fit, camera.sensor_width = "HORIZONTAL", SENSOR_WIDTH
        _set_clipping(camera, views, 1)
        scene.camera = new_block(bpy.data.objects, camera)
        scene.collection.objects.link(scene.camera)
        yield scene, new_block
    finally:
        remove_data_blocks(temporary)


def _set_clipping(camera: bpy.types.Camera, views: Views, radius: float) -> None:
    """Let a camera see a sphere of this radius, which it stands ``views.distance`` radii away from."""
    camera.clip_start, camera.clip_end = radius * (views.distance - 1) / 2, radius * (views.distance + 2)


def _set_up(scene: bpy.types.Scene, resolution: int, path: Path) -> None:
    """Let a scene render the depth and the AOVs into ``path``, unchanged, with one ray through each pixel's center."""
    render, cycles = scene.render, scene.cycles
    render.engine = "CYCLES"
    render.resolution_x = render.resolution_y = resolution
    render.use_compositing = render.use_sequencer = False
    render.use_persistent_data = True
    render.filepath, render.use_file_extension = str(path), False
    compat.write_multilayer_exr(render.image_settings)
    render.image_settings.color_depth, render.image_settings.exr_codec = "32", "NONE"
    cycles.device = "CPU"
    cycles.samples, cycles.max_bounces = 1, 0
    cycles.use_denoising = cycles.use_adaptive_sampling = False
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", FILTER_WIDTH
    view_layer = scene.view_layers[0]
    view_layer.use_pass_z, view_layer.use_pass_combined = True, False
    for name in AOVS:
        view_layer.aovs.add()
        view_layer.aovs[-1].name, view_layer.aovs[-1].type = name, "VALUE"


def _add_aov_nodes(tree: bpy.types.NodeTree) -> None:
    """Replace the nodes of a tree by some that write the attributes ``normal`` and ``face`` to the AOVs."""
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    links.new(nodes.new("ShaderNodeBsdfDiffuse").outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs[0])
    normal, separate, face = (nodes.new(f"ShaderNode{kind}") for kind in ("Attribute", "SeparateXYZ", "Attribute"))
    normal.attribute_name, face.attribute_name = "normal", "face"
    links.new(normal.outputs["Vector"], separate.inputs[0])
    for name, socket in zip(AOVS, (*separate.outputs, face.outputs["Fac"]), strict=True):
        output = nodes.new("ShaderNodeOutputAOV")
        output.aov_name = name
        links.new(socket, output.inputs["Value"])


def _add_triangles(mesh: bpy.types.Mesh, corners: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
    """Fill an empty mesh with separate triangles (F, 3, 3), because a shared vertex can make a triangle invalid."""
    count = len(corners)
    mesh.vertices.add(3 * count)
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    write_vectors(mesh.vertices, "co", corners)
    mesh.loops.foreach_set("vertex_index", np.arange(3 * count, dtype=np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    write_vectors(mesh.attributes.new("normal", "FLOAT_VECTOR", "POINT").data, "vector", normals)
    numbers = np.arange(1, count + 1, dtype=np.float32)
    mesh.attributes.new("face", "FLOAT", "FACE").data.foreach_set("value", numbers)
    mesh.update(calc_edges=True)


def _aim(camera: bpy.types.Object, views: Views, view: int) -> None:
    """Give a camera the pose, in the unit frame, and the lens of one of the views."""
    camera.matrix_world = camera_to_unit(views, view)
    camera.data.lens = float(views.zoom[view]) * SENSOR_WIDTH
    camera.data.shift_x, camera.data.shift_y = views.shift[view].tolist()


def render_scene(scene: bpy.types.Scene) -> None:
    """Render a scene into its file; raises StorageError, MeshKinError ``render-refused``."""
    images = set(bpy.data.images)
    with _handlers_disabled(), _output_discarded(), _another_scene_active(scene.frame_current):
        try:
            result = bpy.ops.render.render(scene=scene.name, write_still=True)
        except RuntimeError as error:
            raise StorageError("file-failed", f"A view could not be rendered: {error}.", "Free some space.") from error
    bpy.data.batch_remove(set(bpy.data.images) - images)  # “Render Result”, if nothing had been rendered before
    if "FINISHED" not in result:
        raise MeshKinError("render-refused", "Blender cannot render now.", "Wait until its own render is done.")


@contextlib.contextmanager
def _another_scene_active(frame: int) -> Iterator[None]:
    """Let an empty scene be the context's, in the frame that is rendered: Blender renders the frame of the context's
    scene, and goes to it again afterward, which would replace what the user has set but not keyed there."""
    empty = bpy.data.scenes.new(PASSES_NAME)
    empty.frame_current = frame
    try:
        with bpy.context.temp_override(scene=empty, view_layer=empty.view_layers[0]):
            yield
    finally:
        bpy.data.scenes.remove(empty)


@contextlib.contextmanager
def _handlers_disabled() -> Iterator[None]:
    """Disable the user's handlers, which are meant for the user's renders."""
    lists = [getattr(bpy.app.handlers, name) for name in _HANDLER_LISTS]
    before = [list(handlers) for handlers in lists]
    for handlers in lists:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, functions in zip(lists, before, strict=True):
            handlers[:] = functions


@contextlib.contextmanager
def _output_discarded() -> Iterator[None]:
    """In background mode, discard what Blender writes to standard output, where only results belong."""
    if not bpy.app.background:
        yield
        return
    sys.stdout.flush()
    before, null = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(null)
