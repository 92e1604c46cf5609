"""Contact sheets: what the models saw of a shape, every view a numbered tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..base.progress import ProgressCallback
from ..base.storage import write_file
from ..data.recipe import Recipe
from ..data.views import Passes
from . import pictures
from .recipe import looks
from .view_data import ViewImages

TILE = 256
"""Pixels a view, each way."""
_ROUND = 6


def make(
    recipe: Recipe, passes: Passes, painted: Path, keep: Path | None, report: ProgressCallback
) -> tuple[NDArray[np.uint8], int]:
    """The contact sheet of a shape.

    Args:
        recipe: its first part that looks at pictures says which; the views that it leaves out are dark and crossed.
        passes: of all views, also those left out.
        painted: folder of the painted views that are used, ``000.png`` and so on; they are shown where they are there.
        keep: folder for the pictures themselves, ``seen_000.png`` and so on; None to keep none.
        report: told the progress; may raise Cancelled.

    Returns:
        uint8 (H, W, 3), sRGB, and how many of the tiles are painted.
    """
    look = looks(recipe.parts)[0]
    assert recipe.views is not None
    images = ViewImages(passes.normal, passes.depth, passes.color)
    gone = set(recipe.views.without)
    used = [view for view in range(len(passes.depth)) if view not in gone]
    files = {view: painted / f"{place:03d}.png" for place, view in enumerate(used)}
    columns = int(np.ceil(np.sqrt(1.6 * len(passes.depth))))
    rows = -(-len(passes.depth) // columns)
    sheet = Image.new("RGB", (columns * TILE, rows * TILE), (40, 40, 40))
    count = 0
    for view in range(len(passes.depth)):
        report("Making a contact sheet", view / len(passes.depth))
        file = files.get(view)
        if file is not None and file.is_file():
            with Image.open(file) as opened:
                picture = opened.convert("RGB")
            count += 1
        else:
            shown = pictures.make(images, slice(view, view + 1), look)[0]
            picture = Image.fromarray((shown.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())
        if keep is not None and view not in gone:
            write_file(keep / f"seen_{view:03d}.png", lambda path, picture=picture: picture.save(path))  # type: ignore[misc]
        sheet.paste(_tile(picture, view, view in gone), (view % columns * TILE, view // columns * TILE))
    return np.array(sheet), count


def _tile(picture: Image.Image, view: int, gone: bool) -> Image.Image:
    tile = picture.resize((TILE, TILE), Image.Resampling.LANCZOS)
    if gone:
        tile = Image.blend(tile, Image.new("RGB", tile.size), 0.75)
    draw = ImageDraw.Draw(tile)
    if gone:
        draw.line((0, 0, TILE, TILE), (220, 60, 50), 4)
        draw.line((0, TILE, TILE, 0), (220, 60, 50), 4)
    font = ImageFont.load_default(22)
    left, top, right, bottom = draw.textbbox((10, 8), str(view), font=font)
    draw.rounded_rectangle((left - 6, top - 5, right + 6, bottom + 5), _ROUND, (30, 30, 30))
    draw.text((10, 8), str(view), (255, 255, 255), font=font)
    draw.rectangle((0, 0, TILE - 1, TILE - 1), outline=(40, 40, 40))
    return tile
