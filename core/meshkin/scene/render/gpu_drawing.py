"""Passes drawn by Blender's ``gpu`` module, on a graphics card or by software, without touching the file's data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gpu
import numpy as np
from numpy.typing import NDArray

from ...base.errors import MeshKinError
from ...data.views import Views
from ..frames import unit_to_camera

_VERTEX = """
void main() {
  vec4 point = camera * vec4(position, 1.0);
  surface = vec4(normal, -point.z);
  triangle = float(gl_VertexID / 3);
  // The depth lies in [0, 1], which is inside the clip space of every backend.
  gl_Position = vec4(2.0 * (lens.x * point.xy + lens.yz * point.z), -DEPTH_A * point.z - DEPTH_B, -point.z);
}
"""
"""Vertex shader; DEPTH_A and DEPTH_B stand for numbers."""

_FRAGMENT = """
void main() {
  picture = surface;
  face = triangle + 1.0;
}
"""
"""Fragment shader."""


def pictures(
    corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
    """Draw triangles once for each view.

    Args:
        corners: (F, 3, 3), the triangles in the unit frame, ``(v - center) / radius``.
        normals: (F, 3, 3), a normal at each corner.
        views: the cameras.

    Yields:
        The interpolated normal (H, W, 3) in the unit frame, not normalized; the depth (H, W), in radii; the number of
        the triangle (H, W), from 1. All are 0 on the background.

    Raises MeshKinError ``gpu-failed`` with the driver's message.
    """
    with _readable_failure():
        shader = _shader(views.distance)
        batch = _batch(corners, normals)
    for view in range(len(views)):
        # Textures and frame buffers are made for one view only: another of Blender's windows may be active at the next
        # one, and their OpenGL contexts do not share frame buffers.
        with _readable_failure():
            pictures_of_view = _draw(shader, batch, views, view)
        yield pictures_of_view


@contextlib.contextmanager
def _readable_failure() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # the gpu module has no exception class of its own
        raise MeshKinError("gpu-failed", f"The graphics driver refused: {error}.", "Render with Cycles.") from error


def _shader(distance: float) -> gpu.types.GPUShader:
    """The shader for cameras that stand ``distance`` radii from the center of the unit sphere."""
    near, far = (distance - 1) / 2, distance + 2  # the object lies between distance - 1 and distance + 1
    depth = {"DEPTH_A": repr(far / (far - near)), "DEPTH_B": repr(far * near / (far - near))}
    interface = gpu.types.GPUStageInterfaceInfo("meshkin_passes")
    interface.smooth("VEC4", "surface")
    interface.flat("FLOAT", "triangle")
    info = gpu.types.GPUShaderCreateInfo()
    info.vertex_in(0, "VEC3", "position")
    info.vertex_in(1, "VEC3", "normal")
    info.vertex_out(interface)
    info.push_constant("MAT4", "camera")
    info.push_constant("VEC3", "lens")
    # A float for the triangle's number too, because integer textures cannot be read back in every version.
    info.fragment_out(0, "VEC4", "picture")
    info.fragment_out(1, "FLOAT", "face")
    info.vertex_source(_VERTEX.replace("DEPTH_A", depth["DEPTH_A"]).replace("DEPTH_B", depth["DEPTH_B"]))
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def _batch(corners: NDArray[np.float32], normals: NDArray[np.float32]) -> gpu.types.GPUBatch:
    """The triangles and their normals, each corner as a vertex of its own."""
    vertex_format = gpu.types.GPUVertFormat()
    for name in ("position", "normal"):
        vertex_format.attr_add(id=name, comp_type="F32", len=3, fetch_mode="FLOAT")
    buffer = gpu.types.GPUVertBuf(vertex_format, 3 * len(corners))
    buffer.attr_fill("position", np.ascontiguousarray(corners.reshape(-1, 3)))
    buffer.attr_fill("normal", np.ascontiguousarray(normals.reshape(-1, 3)))
    return gpu.types.GPUBatch(type="TRIS", buf=buffer)


def _draw(
    shader: gpu.types.GPUShader, batch: gpu.types.GPUBatch, views: Views, view: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Normal, depth and triangle number of one view, as :func:`pictures` gives them out."""
    size = (views.resolution, views.resolution)
    picture = gpu.types.GPUTexture(size, format="RGBA32F")
    face = gpu.types.GPUTexture(size, format="R32F")
    depth = gpu.types.GPUTexture(size, format="DEPTH_COMPONENT32F")
    frame_buffer = gpu.types.GPUFrameBuffer(depth_slot=depth, color_slots=(picture, face))
    with frame_buffer.bind(), _drawing_state():
        frame_buffer.clear(color=(0, 0, 0, 0), depth=1.0)
        shader.bind()
        shader.uniform_float("camera", unit_to_camera(views, view))
        shader.uniform_float("lens", (float(views.zoom[view]), *views.shift[view].tolist()))
        batch.draw(shader)
    pixels = _read(picture, 4)
    return pixels[..., :3], pixels[..., 3], _read(face, 1)[..., 0]


@contextlib.contextmanager
def _drawing_state() -> Iterator[None]:
    """Draw the nearest surface, without blending; afterward the state is as before."""
    before = gpu.state.depth_test_get(), gpu.state.depth_mask_get(), gpu.state.blend_get()
    gpu.state.depth_test_set("LESS")
    gpu.state.depth_mask_set(True)
    gpu.state.blend_set("NONE")
    try:
        yield
    finally:
        gpu.state.depth_test_set(before[0])
        gpu.state.depth_mask_set(before[1])
        gpu.state.blend_set(before[2])


def _read(texture: gpu.types.GPUTexture, channels: int) -> NDArray[np.float32]:
    """The pixels of a float texture, (H, W, channels), row 0 at the top."""
    # frombuffer, because it uses the bytes alone: the strides that Buffer reports are wrong in some versions.
    pixels = np.frombuffer(texture.read(), np.float32)
    return pixels.reshape(texture.height, texture.width, channels)[::-1]
