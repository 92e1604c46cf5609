"""The contact sheet of a data set: some of its pictures with what is known drawn in."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..base.storage import write_file
from .record import VISIBLE, DataFolder, InstanceRecord, PicturePasses, PictureRecord, SetRecord

SHEET_TILE = 384
"""Pixels along the longer side of a picture. Chosen."""
MOST_SHOWN = 20
"""Pictures that are shown, spread over the set. Chosen: a screen."""
SHEET_COLUMNS = 5
"""Of the sheet. Chosen."""
_TINT = 0.35
"""How much of its object's color a pixel gets. Chosen."""
_EDGES = ((0, 1), (0, 2), (0, 4), (3, 1), (3, 2), (3, 7), (5, 1), (5, 4), (5, 7), (6, 2), (6, 4), (6, 7))
"""Edges of a box, by the numbers of its corners."""
_TURN = 0.618034
"""Of the hue from one object to the next: neighbors never look alike."""
_RADIUS = 4
"""Of a key point, pixels. Chosen."""
_GAP = 4
"""Between pictures, pixels. Chosen."""


def write(folder: DataFolder, numbers: Sequence[int]) -> Path | None:
    """Write ``sheet.png`` of some of these pictures; returns it, None without any. Raises StorageError, InputError."""
    if not numbers:
        return None
    data = SetRecord.load(folder.path)
    chosen = [numbers[index] for index in np.unique(np.linspace(0, len(numbers) - 1, MOST_SHOWN).round().astype(int))]
    step = SHEET_TILE + _GAP
    sheet = Image.new("RGB", (SHEET_COLUMNS * step, -(-len(chosen) // SHEET_COLUMNS) * step), (40, 40, 40))
    for place, number in enumerate(chosen):
        tile = annotated(folder, folder.load(number), data)
        sheet.paste(tile, (place % SHEET_COLUMNS * step, place // SHEET_COLUMNS * step))
    path = folder.path / "sheet.png"
    write_file(path, lambda file: sheet.save(file))
    return path


def annotated(folder: DataFolder, record: PictureRecord, data: SetRecord) -> Image.Image:
    """A picture with masks, boxes, 3D boxes and key points; filled key points are seen, open ones are hidden."""
    with Image.open(folder.picture(record.number), formats=("PNG",)) as opened:
        picture = opened.convert("RGB")
    passes = PicturePasses.load(folder.passes(record.number))
    pixels = np.array(picture, np.float32)
    for instance in record.instances:
        mask = passes.object == instance.id
        pixels[mask] = (1 - _TINT) * pixels[mask] + _TINT * np.array(_color(instance.id))
    scale = SHEET_TILE / max(record.width, record.height)
    size = (round(record.width * scale), round(record.height * scale))
    tile = Image.fromarray(pixels.astype(np.uint8)).resize(size, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(tile)
    for instance in record.instances:
        if instance.pixels[0]:
            _draw(draw, record, instance, data.model(instance.model).category, scale)
    draw.text((6, size[1] - 20), record.stem, (255, 255, 255), ImageFont.load_default(14))
    return tile


def _draw(
    draw: ImageDraw.ImageDraw, record: PictureRecord, instance: InstanceRecord, category: str, scale: float
) -> None:
    color = _color(instance.id)
    left, top, width, height = (value * scale for value in instance.box)
    draw.rectangle((left, top, left + width - 1, top + height - 1), outline=(255, 255, 255))
    draw.text((left + 3, top + 2), category, (255, 255, 255), ImageFont.load_default(14))
    pose = record.model_to_camera(instance)
    corners = instance.corners() @ pose[:3, :3].T + pose[:3, 3]
    if corners[:, 2].min() > 0:
        places = record.camera.project_camera(corners)[0] * scale
        for start, end in _EDGES:
            draw.line((*places[start].tolist(), *places[end].tolist()), color, 2)
    for point in instance.key_points:
        if point.visible:
            x, y = point.x * scale, point.y * scale
            around = (x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS)
            draw.ellipse(around, color if point.visible == VISIBLE else None, (255, 255, 255))
            draw.text((x + _RADIUS + 1, y - 8), point.name, (255, 255, 0), ImageFont.load_default(11))


def _color(number: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(number * _TURN % 1, 0.8, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
