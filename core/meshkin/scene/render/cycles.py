"""Passes rendered by Cycles at one sample, for where the ``gpu`` module cannot draw, in a scene of their own.

The triangles carry their normals and numbers as mesh attributes; a material writes these to render passes (AOVs)
that no light, filter or color management touches; the passes come back through an uncompressed OpenEXR file.
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ...base.errors import MeshKinError, StorageError
from ...base.storage import readable_failure
from ...data.views import Views
from .. import compat
from ..objects import remove_data_blocks

SAMPLES = 8
"""Rays through each pixel of a color picture, which may show fine texture."""
_SENSOR = 36.0
_CHANNELS = ("Depth.Z", "x.X", "y.X", "z.X", "face.X")
_HANDLERS = (
    *("depsgraph_update_post", "depsgraph_update_pre", "frame_change_post", "frame_change_pre"),
    *("render_cancel", "render_complete", "render_init", "render_post", "render_pre", "render_stats", "render_write"),
)


def available() -> bool:
    """Whether Cycles is built into this Blender and enabled."""
    return hasattr(bpy.types.Scene, "cycles")


def pictures(
    corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views, which: Iterable[int]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """Render triangles from the views numbered ``which``; otherwise as :func:`passes_gpu.pictures`.

    While the iterator is open, a scene of ours is in the file; no other scene is touched.

    Raises:
        StorageError: the temporary folder cannot be written.
        MeshKinError: ``render-refused`` when Blender does not render, for instance because it is rendering already.
    """
    with readable_failure(Path(tempfile.gettempdir()), "making a folder in"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        with _scene(corners, normals, views, path) as scene:
            for view in which:
                _aim(scene.camera, views, view)
                _render(scene)
                depth, x, y, z, face = _read_exr(path, _CHANNELS)
                yield np.stack((x, y, z), axis=-1), np.where(face > 0, depth, 0), face


def colors(
    mesh: bpy.types.Mesh, matrix: Matrix, location: NDArray[np.float64], views: Views, view: int
) -> NDArray[np.float32]:
    """What a mesh with glowing materials sends to one camera, (H, W, 4): linear RGB times alpha, alpha.

    Args:
        mesh: with its materials; stays.
        matrix: where it stands in the world.
        location: float64 (3,), origin of the snapshot's frame in the world.
        views: the cameras.
        view: number of the one.

    Raises as :func:`pictures`.
    """
    with readable_failure(Path(tempfile.gettempdir()), "making a folder in"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        with _stage(views, path) as (scene, new):
            scene.cycles.samples, scene.render.film_transparent = SAMPLES, True
            scene.cycles.pixel_filter_type = "BOX"
            scene.view_layers[0].use_pass_combined = True
            obj = new(bpy.data.objects, mesh)
            obj.matrix_world = matrix
            scene.collection.objects.link(obj)
            camera = scene.camera
            camera.data.clip_start, camera.data.clip_end = (
                views.radius * (views.distance - 1) / 2,
                views.radius * (views.distance + 2),
            )
            _aim(camera, views, view)
            pose = camera.matrix_world.copy()
            pose.translation = (np.array(pose.translation) * views.radius + views.center + location).tolist()
            camera.matrix_world = pose
            _render(scene)
            return np.stack(_read_exr(path, tuple(f"Combined.{name}" for name in "RGBA")), axis=-1)


@contextlib.contextmanager
def _scene(
    corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views, path: Path
) -> Iterator[bpy.types.Scene]:
    """A scene with the triangles and a camera, that renders into ``path``; nothing of it is left afterward."""
    with _stage(views, path) as (scene, new):
        material = new(bpy.data.materials)
        _write_attributes(compat.node_tree(material))
        mesh = new(bpy.data.meshes)
        _fill(mesh, corners, normals)
        mesh.materials.append(material)
        scene.collection.objects.link(new(bpy.data.objects, mesh))
        yield scene


@contextlib.contextmanager
def _stage(views: Views, path: Path) -> Iterator[tuple[bpy.types.Scene, Callable[..., Any]]]:
    """An empty scene with a camera, that renders into ``path``, and what makes more data that go with it."""
    made: set[int] = set()

    def new(collection: bpy.types.bpy_prop_collection, *arguments: object) -> bpy.types.ID:
        data = collection.new("MeshKin passes", *arguments)
        made.add(data.session_uid)
        return data

    try:
        scene = new(bpy.data.scenes)
        _set_up(scene, views.resolution, path)
        camera = new(bpy.data.cameras)
        camera.sensor_fit, camera.sensor_width = "HORIZONTAL", _SENSOR
        camera.clip_start, camera.clip_end = (views.distance - 1) / 2, views.distance + 2
        scene.camera = new(bpy.data.objects, camera)
        scene.collection.objects.link(scene.camera)
        yield scene, new
    finally:
        remove_data_blocks(made)


def _set_up(scene: bpy.types.Scene, resolution: int, path: Path) -> None:
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
    # The narrowest filter there is: every ray goes through its pixel's center, to 1/200 of a pixel.
    cycles.pixel_filter_type, cycles.filter_width = "BLACKMAN_HARRIS", 0.01
    layer = scene.view_layers[0]
    layer.use_pass_z, layer.use_pass_combined = True, False
    for name in ("x", "y", "z", "face"):
        layer.aovs.add()
        layer.aovs[-1].name, layer.aovs[-1].type = name, "VALUE"


def _write_attributes(tree: bpy.types.NodeTree) -> None:
    """Nodes that write the attributes ``normal`` and ``face`` to the passes."""
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    links.new(nodes.new("ShaderNodeBsdfDiffuse").outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs[0])
    normal, split, face = (nodes.new(f"ShaderNode{kind}") for kind in ("Attribute", "SeparateXYZ", "Attribute"))
    normal.attribute_name, face.attribute_name = "normal", "face"
    links.new(normal.outputs["Vector"], split.inputs[0])
    for name, socket in zip(("x", "y", "z", "face"), (*split.outputs, face.outputs["Fac"]), strict=True):
        output = nodes.new("ShaderNodeOutputAOV")
        output.aov_name = name
        links.new(socket, output.inputs["Value"])


def _fill(mesh: bpy.types.Mesh, corners: NDArray[np.float32], normals: NDArray[np.float32]) -> None:
    """Make a mesh of separate triangles, so that no triangle of the snapshot can be invalid here."""
    count = len(corners)
    mesh.vertices.add(3 * count)
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.vertices.foreach_set("co", corners.ravel())
    mesh.loops.foreach_set("vertex_index", np.arange(3 * count, dtype=np.int32))
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.attributes.new("normal", "FLOAT_VECTOR", "POINT").data.foreach_set("vector", normals.ravel())
    mesh.attributes.new("face", "FLOAT", "FACE").data.foreach_set("value", np.arange(1, count + 1, dtype=np.float32))
    mesh.update(calc_edges=True)


def _aim(camera: bpy.types.Object, views: Views, view: int) -> None:
    backward = views.rotation[view].T
    pose = Matrix(backward.tolist()).to_4x4()
    pose.translation = (backward @ (0, 0, views.distance)).tolist()
    camera.matrix_world = pose
    camera.data.lens = float(views.zoom[view]) * _SENSOR
    camera.data.shift_x, camera.data.shift_y = views.shift[view].tolist()


def _render(scene: bpy.types.Scene) -> None:
    images = set(bpy.data.images)
    with _handlers_at_rest(), _quietly():
        try:
            result = bpy.ops.render.render(scene=scene.name, write_still=True)
        except RuntimeError as error:
            raise StorageError("file-failed", f"A view could not be rendered: {error}.", "Free some space.") from error
    bpy.data.batch_remove(set(bpy.data.images) - images)  # “Render Result”, where nothing had been rendered before
    if "FINISHED" not in result:
        raise MeshKinError("render-refused", "Blender does not render now.", "Wait until its own render is done.")


@contextlib.contextmanager
def _handlers_at_rest() -> Iterator[None]:
    """The user's handlers are meant for the user's renders: keep them from running at ours."""
    lists = [getattr(bpy.app.handlers, name) for name in _HANDLERS]
    before = [list(handlers) for handlers in lists]
    for handlers in lists:
        handlers.clear()
    try:
        yield
    finally:
        for handlers, functions in zip(lists, before, strict=True):
            handlers[:] = functions


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """In background Blender writes each step of a render to standard output, where only results belong."""
    if not bpy.app.background:
        yield
        return
    sys.stdout.flush()
    before, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(before, 1)
        os.close(before)
        os.close(nowhere)


def _read_exr(path: Path, endings: tuple[str, ...]) -> list[NDArray[np.float32]]:
    """The channels whose names end so, (H, W) each, of an uncompressed one-part OpenEXR file of 32-bit floats.

    Source: OpenEXR, "OpenEXR File Layout". Raises StorageError when the file is missing or cut short.
    """
    try:
        data = path.read_bytes()
        names, (left, top, right, bottom), end = _read_exr_header(data)
        height, width = bottom - top + 1, right - left + 1
        # First the place of each line, then each line: its number, its size in bytes, a row of each channel.
        lines = np.frombuffer(data, np.float32, height * (2 + len(names) * width), end + 8 * height)
    except (OSError, ValueError, KeyError, IndexError, struct.error) as error:
        raise StorageError("file-damaged", "A rendered view could not be read back.", "Free some space.") from error
    rows = lines.reshape(height, -1)[:, 2:].reshape(height, len(names), width)
    return [rows[:, next(n for n, name in enumerate(names) if name.endswith(ending))] for ending in endings]


def _read_exr_header(data: bytes) -> tuple[list[str], tuple[int, ...], int]:
    """The names of the channels, the data window (left, top, right, bottom) and where the header ends."""
    attributes = {}
    place = 8
    while data[place]:
        name, kind, rest = data[place : place + 512].split(b"\0", 2)
        place += len(name) + len(kind) + 6
        (size,) = struct.unpack_from("<i", rest)
        attributes[name] = data[place : place + size]
        place += size
    names, channels = [], attributes[b"channels"]
    while channels[0]:
        name, _, channels = channels.partition(b"\0")
        names.append(name.decode())
        channels = channels[16:]
    return names, struct.unpack("<4i", attributes[b"dataWindow"]), place + 1
