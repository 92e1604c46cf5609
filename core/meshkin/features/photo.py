"""Features of a photograph: it is read, framed around its object, and given to the extractors that see renders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from ..base.errors import InputError
from ..base.progress import ProgressCallback
from ..base.storage import UNREADABLE, is_file
from ..data.recipe import Recipe
from ..data.views import BORDER
from . import registry
from .building import build
from .extractor import DerivedExtractor
from .view_data import ViewImages

SMALLEST = 16
"""Pixels that a photograph must have each way, and an object must cover. Chosen: less shows nothing."""
LARGEST_PHOTO = 2048
"""Pixels along the longer side to which a larger photograph is reduced. Chosen: no extractor sees more."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""The formats of photographs, whatever a file is called: others start programs (PostScript) or are rarely tested."""
GRID = 96
"""Cells each way in which a framed photograph is described. Chosen: three times the patches of the usual network."""
OPAQUE = 128
"""Alpha, and brightness of a mask, from which a pixel counts as the object, of 255. Chosen: the middle."""
FIRST_TURNED = 5
"""EXIF's orientations from here on are turned by a quarter."""
_SHAPE_TOLERANCE = 0.02
"""Share by which the aspects of a mask and its photograph may differ. Chosen: what rounding to pixels makes of them."""

Window = tuple[int, int, int]
"""Row and column of the upper left corner, and side, of a square of pixels, which may exceed the photograph."""


def load(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """An image file: its colors, uint8 (H, W, 3), upright, and where it is opaque, bool (H, W), or None for everywhere.

    Raises InputError ``photo-missing``, ``photo-unreadable``, ``photo-small``.
    """
    image = _open(path)
    for shown in ("", f" when its longer side is brought down to {LARGEST_PHOTO}"):
        if min(image.size) < SMALLEST:
            raise InputError(
                "photo-small",
                f"{path} is only {image.width} by {image.height} pixels large{shown}.",
                f"Use a picture of at least {SMALLEST} by {SMALLEST}.",
            )
        image.thumbnail((LARGEST_PHOTO, LARGEST_PHOTO), Image.Resampling.LANCZOS)
    pixels = np.array(image.convert("RGBA"))
    opaque = pixels[..., 3] >= OPAQUE
    return np.ascontiguousarray(pixels[..., :3]), None if opaque.all() else opaque


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of an image file, upright, in pixels, without reading all of it; raises as :func:`load`."""
    if not is_file(path):
        raise _missing(path)
    try:
        with Image.open(path, formats=FORMATS) as file:
            turned = file.getexif().get(ExifTags.Base.Orientation, 1) >= FIRST_TURNED
            return (file.height, file.width) if turned else (file.width, file.height)
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def load_mask(path: Path, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Where a mask image is white, bool, resized to ``shape`` (H, W); one with transparent pixels counts by its alpha.

    Raises InputError as :func:`load`, and ``mask-differs`` when it is not shaped like the photograph.
    """
    image = _open(path)
    height, width = shape
    check_shape(path, image.size, shape)
    pixels = np.array(image.convert("RGBA").resize((width, height), Image.Resampling.BILINEAR))
    if (pixels[..., 3] < OPAQUE).any():
        return pixels[..., 3] >= OPAQUE
    return np.array(Image.fromarray(pixels).convert("L")) >= OPAQUE


def check_shape(path: Path, size: tuple[int, int], shape: tuple[int, int]) -> None:
    """Raise InputError ``mask-differs`` if a mask, of this width and height, is not shaped (H, W) like its picture."""
    width, height = size
    if abs(width * shape[0] - height * shape[1]) > _SHAPE_TOLERANCE * width * shape[0]:
        raise InputError(
            "mask-differs",
            f"The mask {path} is not shaped like the photograph: {width} by {height} pixels.",
            "Make the mask from the photograph.",
        )


def check_mask(mask: NDArray[np.bool_], what: str) -> NDArray[np.bool_]:
    """The mask, if something is in it; raises InputError ``mask-empty``."""
    if mask.sum() < SMALLEST:
        raise InputError("mask-empty", f"{what} shows no object.", "Paint the object white on black.")
    return mask


def window(mask: NDArray[np.bool_], border: float = BORDER) -> Window:
    """The square that frames a mask's object as renders are framed: a border of this share of its side is left free."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    low, high = np.array((rows[0], columns[0])), np.array((rows[-1], columns[-1])) + 1
    side = int(np.ceil((high - low).max() / (1 - 2 * border)))
    top, left = ((low + high - side) // 2).tolist()
    return top, left, side


def describe(
    color: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    window: Window,
    recipe: Recipe,
    device: str,
    report: ProgressCallback,
    cells: int = GRID,
) -> NDArray[np.float32]:
    """Features of a square of a photograph, comparable with those of :func:`meshkin.features.compute.compute`.

    Args:
        color: uint8 (H, W, 3), sRGB.
        inside: bool (H, W), what to show; the rest becomes the recipe's background.
        window: the square.
        recipe: all its parts look at textured pictures.
        device: "auto", "cpu" or a torch device.
        report: told the progress; may raise Cancelled.
        cells: number of cells of the result, each way.

    Returns:
        float32 (cells, cells, C), each map's unit features times its part's weight, side by side.
    """
    top, left, side = window
    size = recipe.resolution
    square = np.zeros((side, side, 3), np.uint8)
    shown = np.zeros((side, side), bool)
    rows = slice(max(top, 0), min(top + side, len(color)))
    columns = slice(max(left, 0), min(left + side, color.shape[1]))
    overlap = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
    square[overlap], shown[overlap] = color[rows, columns], inside[rows, columns]
    picture = np.array(Image.fromarray(square).resize((size, size), Image.Resampling.BILINEAR))
    seen = np.array(Image.fromarray(shown).convert("L").resize((size, size), Image.Resampling.BILINEAR)) >= OPAQUE
    images = ViewImages(
        normal=np.zeros((1, size, size, 3), np.float16),
        depth=np.where(seen, np.float32(1), np.float32(np.inf))[None],
        color=picture[None],
    )
    return _described(images, recipe, device, report, cells)


def _described(
    images: ViewImages, recipe: Recipe, device: str, report: ProgressCallback, cells: int
) -> NDArray[np.float32]:
    """The features (cells, cells, C) of the only picture, as :func:`describe`."""
    maps = []
    for part in recipe.parts:
        extractor = registry.find(part.extractor)
        if isinstance(extractor, DerivedExtractor):
            assert part.base is not None
            base = _described(images, part.base, device, report, cells)
            rows = extractor.derive_cells(base.reshape(cells * cells, -1), part.models)
            maps.append(rows.reshape(cells, cells, -1) * part.weight)
            continue
        reader = build(part, device)
        for grids in reader.extract(images, report):
            for grid, weight in zip(grids.maps, reader.map_weights, strict=True):
                maps.append(_resampled(grid[:1].float(), cells) * (weight * part.weight))
    return np.concatenate(maps, axis=-1).astype(np.float32)


def _resampled(grid: torch.Tensor, cells: int) -> NDArray[np.float32]:
    """A map (1, C, h, w) sampled at the centers of so many cells each way, as unit vectors (cells, cells, C)."""
    centers = (torch.arange(cells, device=grid.device) + 0.5) / cells * 2 - 1
    places = torch.stack(torch.meshgrid(centers, centers, indexing="xy"), dim=-1)[None]
    values = torch.nn.functional.grid_sample(grid, places, mode="bilinear", padding_mode="border", align_corners=False)
    values = torch.nn.functional.normalize(torch.nan_to_num(values, 0.0, 0.0, 0.0), dim=1)
    return values[0].permute(1, 2, 0).cpu().numpy()


def _open(path: Path) -> Image.Image:
    """The image in a file, upright; raises InputError ``photo-missing``, ``photo-unreadable``."""
    if not is_file(path):
        raise _missing(path)
    try:
        with Image.open(path, formats=FORMATS) as file:
            return ImageOps.exif_transpose(file)
    except (*UNREADABLE, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def _missing(path: Path) -> InputError:
    return InputError("photo-missing", f"There is no file {path}.", "Check the path.")


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError("photo-unreadable", f"{path} is no picture that can be read: {error}.", "Use a PNG or JPEG file.")
