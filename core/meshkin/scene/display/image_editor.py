"""Pictures shown as images of the open file, in image editors."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ...data.photo_map import PhotoMap

PICTURE_PROPERTY = "meshkin_picture"
"""Custom property of the images that :func:`show` makes."""
BACKGROUND = 0.35
"""Brightness of what is not the object in :func:`match_picture`; chosen."""
MIN_COLOR = 0.5
"""How strong the colors are in :func:`match_picture` where the confidence is 0; chosen."""
MIN_LIGHTNESS = 0.4
"""Brightness of colors in :func:`match_picture` where the photograph is black; chosen."""


def match_picture(photo_map: PhotoMap, colors: NDArray[np.floating]) -> NDArray[np.uint8]:
    """A photograph colored by the points that its pixels correspond to, uint8 (H, W, 3), sRGB.

    What is not the object is gray and dark; colors are stronger where the match has more confidence.

    Args:
        photo_map: the match.
        colors: (V, 3) in [0, 1], of the surface's vertices.
    """
    photo, mask = photo_map.photo / 255.0, photo_map.mask
    gray = photo.mean(axis=-1, keepdims=True)
    picture = np.repeat(BACKGROUND * gray, 3, axis=-1)
    strength = MIN_COLOR + (1 - MIN_COLOR) * np.sqrt(photo_map.confidence[mask])[:, None]
    lightness = (MIN_LIGHTNESS + (1 - MIN_LIGHTNESS) * gray)[mask]
    picture[mask] = strength * photo_map.pull(colors) * lightness + (1 - strength) * gray[mask]
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)


def show(picture: NDArray[np.uint8] | NDArray[np.float32], name: str, data: bool = False) -> bpy.types.Image:
    """A new packed image of this name with these pixels, row 0 at the top.

    Every open image editor that shows no image, or another one that this function has made, shows the new image.

    Args:
        picture: (H, W, 3): uint8 for an image of 8 bits, float32 for one of floating-point numbers; or (H, W), gray.
        name: of the image (Blender adds a number to a name that is taken).
        data: whether the values are no colors: Blender does not convert them then. Others are sRGB.
    """
    height, width = picture.shape[:2]
    is_float = picture.dtype == np.float32
    image = bpy.data.images.new(name, width, height, alpha=False, float_buffer=is_float, is_data=data)
    pixels = np.ones((height, width, 4), np.float32)
    colors = picture[::-1] if is_float else picture[::-1] / 255.0
    pixels[..., :3] = colors.reshape(height, width, -1)
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    image.pack()
    image[PICTURE_PROPERTY] = True
    for area in _image_editors():
        shown = area.spaces.active.image
        if shown is None or PICTURE_PROPERTY in shown:
            area.spaces.active.image = image
            area.tag_redraw()
    return image


def open_file(path: Path) -> None:
    """Show an image file, as it is now, in a new window, unless an open image editor shows it already."""
    image = bpy.data.images.load(str(path), check_existing=True)
    image.reload()
    open_editor(image.name)


def open_editor(name: str) -> None:
    """Show an image in a new window, unless an open image editor shows it already."""
    image = bpy.data.images.get(name)
    if image is None or any(area.spaces.active.image == image for area in _image_editors()):
        return
    windows = bpy.context.window_manager.windows
    before = {window.as_pointer() for window in windows}
    with bpy.context.temp_override(window=windows[0]):
        bpy.ops.wm.window_new()
    for window in windows:
        if window.as_pointer() not in before:
            area = window.screen.areas[0]
            area.type = "IMAGE_EDITOR"
            area.spaces.active.image = image
            return


def _image_editors() -> list[bpy.types.Area]:
    """The image editors of all windows."""
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]
