"""Pictures to look at, as images of the open file."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from ...data.photo_map import PhotoMap


def match_picture(found: PhotoMap, colors: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A photograph colored by what its pixels were matched to, uint8 (H, W, 3), sRGB.

    Args:
        found: the match.
        colors: (V, 3) in [0, 1], of the surface's vertices.

    What is not the object is gray and dark; the colors are as strong as the match is trusted, half at least.
    """
    photo = found.photo / 255.0
    gray = photo.mean(axis=-1, keepdims=True)
    picture = np.repeat(0.35 * gray, 3, axis=-1)
    share = 0.5 + 0.5 * np.sqrt(found.confidence[found.mask])[:, None]
    lightness = (0.4 + 0.6 * gray)[found.mask]
    picture[found.mask] = share * found.pull(colors) * lightness + (1 - share) * gray[found.mask]
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)


def show(picture: NDArray[np.uint8], name: str) -> bpy.types.Image:
    """A new packed image of this name with these pixels (H, W, 3), sRGB, row 0 at the top.

    It is opened in every image editor in sight that shows none, or another one of MeshKin's.
    """
    height, width = picture.shape[:2]
    image = bpy.data.images.new(name, width, height, alpha=False)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = picture[::-1] / 255.0
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    image["meshkin_picture"] = True
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                shown = area.spaces.active.image
                if shown is None or "meshkin_picture" in shown:
                    area.spaces.active.image = image
                    area.tag_redraw()
    return image


def open_editor(name: str) -> None:
    """Show an image in a new window where no image editor in sight shows it."""
    image = bpy.data.images.get(name)
    windows = bpy.context.window_manager.windows
    editors = [area for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]
    if image is None or any(area.spaces.active.image == image for area in editors):
        return
    before = {window.as_pointer() for window in windows}
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.wm.window_new()
    for window in windows:
        if window.as_pointer() not in before:
            area = window.screen.areas[0]
            area.type = "IMAGE_EDITOR"
            area.spaces.active.image = image
            return
