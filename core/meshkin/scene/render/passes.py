"""Normal, depth, face and color passes of a snapshot from many views.

Two renderers draw the same triangles from the snapshot's arrays: Blender's ``gpu`` module where it can draw, else
Cycles. The triangles are scaled to the unit sphere, so that size and place of the object do not matter, and nothing of
the user's scene is rendered. The color pass is made from the triangle that each pixel shows
(:mod:`meshkin.scene.render.surface_colors`), in the same way for both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...base.errors import InputError, MeshKinError
from ...base.png import write_png
from ...base.progress import Progress
from ...base.storage import make_folder
from ...data.snapshot import Snapshot
from ...data.views import Passes, Views
from ...geometry.winding import consistent_shading
from .. import compat
from . import cycles, gpu_drawing
from .surface_colors import SurfaceColors, view_colors

RENDERERS = ("gpu", "cycles")
"""Fastest first."""
MOST_TRIANGLES = 2**24 - 1
"""Triangle numbers are rendered as 32-bit floats, which represent no larger integers exactly."""
FARTHEST_GRAY = 0.15
"""Gray level of a view's farthest point in a depth picture; chosen."""

_Pictures = Generator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], None, None]


def available_renderers() -> tuple[str, ...]:
    """The renderers that work in this Blender, fastest first; none in background mode with Cycles disabled."""
    works = {"gpu": compat.gpu_can_draw(), "cycles": cycles.is_available()}
    return tuple(renderer for renderer in RENDERERS if works[renderer])


def render(
    snapshot: Snapshot, views: Views, renderer: str = "auto", colors: SurfaceColors | None = None
) -> Generator[Progress, None, Passes]:
    """Render the passes of a snapshot, one view for each step of the generator.

    The user's scenes, selection, mode, settings and handlers are not touched. Closing the generator leaves nothing
    behind.

    Args:
        snapshot: with finite vertices.
        views: cameras around it, from :func:`meshkin.data.views.frame`.
        renderer: "gpu", "cycles", or "auto" for the fastest that works.
        colors: the object's colors, for a color pass; None for none.

    Returns:
        The passes, face included.

    Raises:
        InputError: ``mesh-too-large`` above 16.7 million triangles, ``render-unavailable`` when the renderer (or any at
            all) does not work here.
        MeshKinError: ``gpu-failed`` when the graphics driver fails ("auto" goes on with Cycles), ``render-refused``
            when Blender is rendering already.
        StorageError: Cycles cannot write temporary files.
    """
    if len(snapshot.faces) > MOST_TRIANGLES:
        raise InputError(
            "mesh-too-large",
            f"“{snapshot.name}” has {len(snapshot.faces):,} triangles; at most {MOST_TRIANGLES:,} can be rendered.",
            "Reduce it with a Decimate modifier.",
        )
    renderers = [available for available in available_renderers() if renderer in ("auto", available)]
    if not renderers:
        raise InputError(
            "render-unavailable",
            f"This Blender cannot render passes ({renderer}).",
            "Let MeshKin choose the way (auto), enable the Cycles add-on, or run Blender 5.2 with an OpenGL driver.",
        )
    if "gpu" in renderers:
        try:
            return (yield from _render(snapshot, views, "gpu", colors))
        except MeshKinError as error:
            if error.code != "gpu-failed" or "cycles" not in renderers:
                raise
    return (yield from _render(snapshot, views, "cycles", colors))


def _render(
    snapshot: Snapshot, views: Views, renderer: str, colors: SurfaceColors | None
) -> Generator[Progress, None, Passes]:
    shape = (len(views), views.resolution, views.resolution)
    color = None if colors is None else np.empty((*shape, 3), np.uint8)
    passes = Passes(np.empty((*shape, 3), np.float16), np.empty(shape, np.float32), np.empty(shape, np.int32), color)
    assert passes.face is not None
    faces, normals = consistent_shading(snapshot.vertices, snapshot.faces, snapshot.normals)
    corners = ((snapshot.vertices.astype(np.float64) - views.center) / views.radius).astype(np.float32)[faces]
    with contextlib.closing(_pictures(renderer, corners, normals, views)) as pictures:
        for view, (normal, depth, number) in enumerate(pictures):
            face = number.astype(np.int32) - 1
            passes.normal[view] = _camera_normals(
                normal, face, corners, views.distance * views.rotation[view, 2], views.rotation[view]
            )
            passes.depth[view] = np.where(face >= 0, depth, np.inf)
            passes.face[view] = face
            if colors is not None and color is not None:
                color[view] = view_colors(colors, snapshot, views, view, face)
            yield Progress("Rendering views", (view + 1) / len(views))
    return passes


def _pictures(renderer: str, corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views) -> _Pictures:
    """Normal, depth and triangle number of each view, as :func:`meshkin.scene.render.gpu_drawing.pictures`."""
    all_views = range(len(views))
    if renderer == "gpu":
        yield from gpu_drawing.pictures(corners, normals, views)
    elif bpy.app.background:
        yield from cycles.pictures(corners, normals, views, all_views)
    else:
        # With a window, the user may save or undo between two views: then no temporary scene may be in the file.
        for view in all_views:
            yield from list(cycles.pictures(corners, normals, views, [view]))


def _camera_normals(
    normal: NDArray[np.float32],
    face: NDArray[np.int32],
    corners: NDArray[np.float32],
    eye: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Normals in the camera's frame, of unit length, reversed where a triangle shows its back; float32 (H, W, 3).

    Whether it does, the triangle decides and not its normal: near an outline, the shading normal of a front may point
    away from the camera.

    Args:
        normal: (H, W, 3), interpolated, in the unit frame.
        face: (H, W), the triangle in each pixel, -1 for none.
        corners: (F, 3, 3), the triangles in the unit frame.
        eye: (3,), the camera's place.
        rotation: (3, 3), from the unit frame to the camera's.
    """
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    is_back = np.einsum("fi,fi->f", outwards, eye.astype(np.float32) - corners[:, 0]) < 0
    sign = np.where(is_back, -1, 1).astype(np.float32)
    length = np.sqrt(np.einsum("hwi,hwi->hw", normal, normal))
    scale = sign[face] / np.maximum(length, np.finfo(np.float32).tiny)
    in_camera: NDArray[np.float32] = (normal * scale[..., None]) @ rotation.T.astype(np.float32)
    return in_camera


def save_pictures(passes: Passes, folder: Path) -> list[Path]:
    """Write ``normal_000.png``, ``depth_000.png`` and, with a color pass, ``color_000.png`` of each view.

    Normals have their usual colors, ``(n + 1) / 2``; depth is white at the view's nearest and dark gray at its
    farthest point; the background is black.

    Returns:
        the files.

    Raises StorageError.
    """
    make_folder(folder)
    files = []
    for view, (normal, depth) in enumerate(zip(passes.normal, passes.depth, strict=True)):
        for name, picture in (("normal", normal_picture(normal, depth)), ("depth", depth_picture(depth))):
            files.append(folder / f"{name}_{view:03d}.png")
            write_png(files[-1], picture)
    if passes.color is not None:
        for view, picture in enumerate(passes.color):
            files.append(folder / f"color_{view:03d}.png")
            write_png(files[-1], picture)
    return files


def normal_picture(normal: NDArray[np.floating], depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One view's normals (H, W, 3) as colors ``(n + 1) / 2``, uint8 (H, W, 3); black where the depth is infinite."""
    colors = (normal.astype(np.float32) + 1) / 2 * np.isfinite(depth)[..., None]
    return (colors * 255).round().astype(np.uint8)


def depth_picture(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """One view's depth (H, W) as gray, uint8 (H, W, 3): white at its nearest point, dark gray at its farthest one."""
    visible = np.isfinite(depth)
    near, far = (depth[visible].min(), depth[visible].max()) if visible.any() else (0, 1)
    share = (np.where(visible, depth, far) - near) / max(far - near, 1e-9)
    gray = (1 - (1 - FARTHEST_GRAY) * share) * visible
    return np.repeat((gray * 255).round().astype(np.uint8)[..., None], 3, axis=-1)
