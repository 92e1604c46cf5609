"""Normal, depth and face passes of a snapshot from many views: by the ``gpu`` module where it can draw, else by Cycles.

Both paths draw the same triangles from the snapshot's arrays, scaled to a unit sphere, so that size and place of the
object do not matter and nothing of the user's scene takes part. A color pass is made from the triangle that each
pixel shows (:mod:`meshkin.scene.render.surface_colors`), the same on both.
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
from .. import compat
from . import cycles as passes_cycles
from . import gpu_drawing as passes_gpu
from . import surface_colors as surface_colors

PATHS = ("gpu", "cycles")
MOST_TRIANGLES = 2**24 - 1
"""Triangle numbers travel as 32-bit floats, which count no further."""

_Pictures = Generator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], None, None]


def available_renderers() -> tuple[str, ...]:
    """The paths that work in this Blender, fastest first; may be empty (background, and Cycles disabled)."""
    works = {"gpu": compat.gpu_can_draw(), "cycles": passes_cycles.available()}
    return tuple(path for path in PATHS if works[path])


def render(
    snapshot: Snapshot, views: Views, path: str = "auto", look: surface_colors.Look | None = None
) -> Generator[Progress, None, Passes]:
    """Render the passes of a snapshot, one view for each step of the generator.

    Nothing of the user's is touched: no scene, selection, mode, setting or handler. Closing the generator leaves
    nothing behind.

    Args:
        snapshot: with finite vertices.
        views: cameras around it, from :func:`meshkin.data.views.frame`.
        path: "gpu", "cycles", or "auto" for the fastest that works.
        look: the object's colors, for a color pass; None for none.

    Returns:
        The passes, face included on either path.

    Raises:
        InputError: ``mesh-too-large`` above 16.7 million triangles, ``render-unavailable`` when ``path`` (or any at
            all) does not work here.
        MeshKinError: ``gpu-failed`` when the driver refuses ("auto" goes on with Cycles), ``render-refused`` when
            Blender is rendering already.
        StorageError: the Cycles path cannot write temporary files.
    """
    if len(snapshot.faces) > MOST_TRIANGLES:
        raise InputError(
            "mesh-too-large",
            f"“{snapshot.name}” has {len(snapshot.faces):,} triangles; at most {MOST_TRIANGLES:,} can be rendered.",
            "Reduce it with a Decimate modifier.",
        )
    paths = [one for one in available_renderers() if path in ("auto", one)]
    if not paths:
        raise InputError(
            "render-unavailable",
            f"This Blender cannot render passes ({path}).",
            "Let MeshKin choose the way (auto), enable the Cycles add-on, or run Blender 5.2 with an OpenGL driver.",
        )
    if "gpu" in paths:
        try:
            return (yield from _render(snapshot, views, "gpu", look))
        except MeshKinError as error:
            if error.code != "gpu-failed" or "cycles" not in paths:
                raise
    return (yield from _render(snapshot, views, "cycles", look))


def _render(
    snapshot: Snapshot, views: Views, path: str, look: surface_colors.Look | None
) -> Generator[Progress, None, Passes]:
    shape = (len(views), views.resolution, views.resolution)
    color = None if look is None else np.empty((*shape, 3), np.uint8)
    passes = Passes(np.empty((*shape, 3), np.float16), np.empty(shape, np.float32), np.empty(shape, np.int32), color)
    assert passes.face is not None
    corners = ((snapshot.vertices.astype(np.float64) - views.center) / views.radius).astype(np.float32)[snapshot.faces]
    with contextlib.closing(_pictures(path, corners, snapshot.normals, views)) as pictures:
        for view, (normal, depth, number) in enumerate(pictures):
            face = number.astype(np.int32) - 1
            passes.normal[view] = _toward_camera(
                normal, face, corners, views.distance * views.rotation[view, 2], views.rotation[view]
            )
            passes.depth[view] = np.where(face >= 0, depth, np.inf)
            passes.face[view] = face
            if look is not None and color is not None:
                color[view] = surface_colors.paint(look, snapshot, views, view, face)
            yield Progress("Rendering views", (view + 1) / len(views))
    return passes


def _pictures(path: str, corners: NDArray[np.float32], normals: NDArray[np.float32], views: Views) -> _Pictures:
    every = range(len(views))
    if path == "gpu":
        yield from passes_gpu.pictures(corners, normals, views)
    elif bpy.app.background:
        yield from passes_cycles.pictures(corners, normals, views, every)
    else:
        # With a window the user may save or undo between two views: no scene of ours may be in the file then.
        for view in every:
            yield from list(passes_cycles.pictures(corners, normals, views, [view]))


def _toward_camera(
    normal: NDArray[np.float32],
    face: NDArray[np.int32],
    corners: NDArray[np.float32],
    eye: NDArray[np.float64],
    rotation: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Interpolated normals (H, W, 3) as unit vectors in the camera's frame, turned where a triangle shows its back.

    The triangle decides, not the normal: near an outline a shading normal of the front may lean away.
    """
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    side = np.where(np.einsum("fi,fi->f", outwards, eye.astype(np.float32) - corners[:, 0]) < 0, -1, 1).astype(
        np.float32
    )
    length = np.sqrt(np.einsum("hwi,hwi->hw", normal, normal))
    scale = side[face] / np.maximum(length, np.finfo(np.float32).tiny)
    turned: NDArray[np.float32] = (normal * scale[..., None]) @ rotation.T.astype(np.float32)
    return turned


def save_pictures(passes: Passes, folder: Path) -> list[Path]:
    """Write ``normal_000.png``, ``depth_000.png`` (and ``color_000.png``) of each view, for people to look at.

    Returns the files.

    Normals have their usual colors, ``(n + 1) / 2``; depth is white at the view's nearest and dark gray at its
    farthest point; the background is black. Raises StorageError.
    """
    make_folder(folder)
    files = []
    for view, (normal, depth) in enumerate(zip(passes.normal, passes.depth, strict=True)):
        seen = np.isfinite(depth)
        near, far = (depth[seen].min(), depth[seen].max()) if seen.any() else (0, 1)
        gray = 1 - 0.85 * (np.where(seen, depth, far) - near) / max(far - near, 1e-9)
        colors = (normal.astype(np.float32) + 1) / 2
        for name, picture in (("normal", colors), ("depth", np.repeat(gray[..., None], 3, axis=-1))):
            files.append(folder / f"{name}_{view:03d}.png")
            write_png(files[-1], (picture * seen[..., None] * 255).round().astype(np.uint8))
    if passes.color is not None:
        for view, picture in enumerate(passes.color):
            files.append(folder / f"color_{view:03d}.png")
            write_png(files[-1], picture)
    return files
