"""Contact sheets: what the models saw of a shape, every view a numbered tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..base.progress import ProgressCallback
from ..base.storage import UNREADABLE, write_file
from ..data.recipe import Recipe
from ..data.views import Passes
from . import pictures
from .recipe import looks
from .view_data import ViewImages

TILE = 256
"""Pixels along a tile. Chosen."""
ASPECT = 1.6
"""Columns of tiles by rows of tiles, about. Chosen: the shape of a screen."""
_CORNER = 6
"""Radius of the corners of a number's label, pixels. Chosen."""
_BACKGROUND, _LABEL, _TEXT, _CROSS = (40, 40, 40), (30, 30, 30), (255, 255, 255), (220, 60, 50)
"""Colors of the sheet, RGB. Chosen."""
_DARKENED = 0.75
"""Share of its brightness that a view loses that is left out. Chosen."""


def make(
    recipe: Recipe, passes: Passes, painted: Path, keep: Path | None, report: ProgressCallback
) -> tuple[NDArray[np.uint8], int]:
    """The contact sheet of a shape: a tile for each view.

    Args:
        recipe: the pictures are those of its first part that looks at pictures. Views that the recipe leaves out are
            dark and crossed.
        passes: of all views, also of those left out.
        painted: folder of what an extractor painted of the views that are used, ``000.png`` and so on; these pictures
            are shown where they exist.
        keep: folder for the pictures themselves, ``seen_000.png`` and so on; None to keep none.
        report: told the progress; may raise Cancelled.

    Returns:
        uint8 (H, W, 3), sRGB, and how many of the tiles are painted.
    """
    look = looks(recipe.parts)[0]
    assert recipe.views is not None
    images = ViewImages(passes.normal, passes.depth, passes.color)
    left_out = set(recipe.views.without)
    used = [view for view in range(len(passes.depth)) if view not in left_out]
    files = {view: painted / f"{number:03d}.png" for number, view in enumerate(used)}
    columns = int(np.ceil(np.sqrt(ASPECT * len(passes.depth))))
    rows = -(-len(passes.depth) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * TILE), _BACKGROUND)
    count = 0
    for view in range(len(passes.depth)):
        report("Making a contact sheet", view / len(passes.depth))
        file = files.get(view)
        picture = _painted(file) if file is not None else None
        count += picture is not None
        if picture is None:
            shown = pictures.make(images, slice(view, view + 1), look)[0]
            picture = Image.fromarray((shown.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
        if keep is not None and view not in left_out:
            write_file(keep / f"seen_{view:03d}.png", lambda path, picture=picture: picture.save(path))  # type: ignore[misc]
        sheet.paste(_tile(picture, view, view in left_out), (view % columns * TILE, view // columns * TILE))
    return np.array(sheet), count


def _painted(file: Path) -> Image.Image | None:
    """A painted view; None if it is not there, or damaged."""
    try:
        with Image.open(file, formats=("PNG",)) as opened:
            return opened.convert("RGB")
    except UNREADABLE:
        return None


def _tile(picture: Image.Image, view: int, left_out: bool) -> Image.Image:
    """The picture of a view as a numbered tile, dark and crossed where the view is left out."""
    tile = picture.resize((TILE, TILE), Image.Resampling.LANCZOS)
    if left_out:
        tile = Image.blend(tile, Image.new("RGB", tile.size), _DARKENED)
    draw = ImageDraw.Draw(tile)
    if left_out:
        draw.line((0, 0, TILE, TILE), _CROSS, 4)
        draw.line((0, TILE, TILE, 0), _CROSS, 4)
    font = ImageFont.load_default(22)
    left, top, right, bottom = draw.textbbox((10, 8), str(view), font=font)
    draw.rounded_rectangle((left - 6, top - 5, right + 6, bottom + 5), _CORNER, _LABEL)
    draw.text((10, 8), str(view), _TEXT, font=font)
    draw.rectangle((0, 0, TILE - 1, TILE - 1), outline=_BACKGROUND)
    return tile
