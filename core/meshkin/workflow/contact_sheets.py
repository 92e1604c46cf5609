"""What the models see of objects, as pictures for people."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.png import write_png
from ..base.progress import Progress, in_step
from ..base.storage import file_name
from ..data.views import placed_count
from ..scene.display import image_editor
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.arrays import load_array
from ..worker.requests.features import MakeContactSheet
from .characters import read
from .describing import describe, handles_of, plan_features, render
from .files import work_folder
from .options import Options, Report, Steps
from .steps import PICTURE_SECONDS, Costs, feature_costs, pictures_of
from .whole_job import whole_job


def pictures(objects: Iterable[BlenderObject], options: Options = Options()) -> Steps:
    """Show what the models see of objects: for each a contact sheet of its numbered views, as a new image.

    The painted views where an extractor paints (painted now if they are not there), else the rendered pictures. Views
    left out by ``options.features.without`` are crossed out. With ``options.features.pictures`` the pictures and the
    sheet are saved there too.

    By the objects' names, ``data["images"]`` holds the names of the images, ``data["views"]`` how many views there
    are, ``data["used"]`` how many of them are used, ``data["painted"]`` how many of these are shown as painted.

    Raises as :func:`features`, and InputError ``pictures-none`` (the features look at no pictures).
    """
    handles = handles_of(objects)
    costs: Costs = {}
    for handle in handles:
        costs |= {pictures_of(handle): PICTURE_SECONDS + sum(feature_costs([handle], options).values())}
    return (yield from whole_job(_pictures(handles, options), costs))


def _pictures(handles: Sequence[Handle], options: Options) -> Steps:
    with work_folder() as folder:
        sheets = []
        for number, handle in enumerate(handles):
            sheet = in_step(pictures_of(handle), _sheet(handle, options, folder / f"object{number}"))
            sheets.append((yield from sheet))
        images = [image_editor.show(sheet.picture, f"{sheet.handle.name} views").name for sheet in sheets]
    data: dict[str, Any] = {
        "images": {sheet.handle.name: image for sheet, image in zip(sheets, images, strict=True)},
        "views": {sheet.handle.name: sheet.views for sheet in sheets},
        "used": {sheet.handle.name: sheet.used for sheet in sheets},
        "painted": {sheet.handle.name: sheet.painted for sheet in sheets},
    }
    names = ", ".join(f"“{image}”" for image in images)
    return Report(f"The pictures are in {names}.", [_sentence(sheet) for sheet in sheets], data)


def sheet_file(folder: Path, name: str) -> Path:
    """Where :func:`pictures` saves the contact sheet of the object of this name."""
    return folder / f"{file_name(f'{name} views')}.png"


@dataclass(frozen=True)
class _Sheet:
    """The contact sheet of one object.

    Attributes:
        handle: of the object.
        picture: uint8 (H, W, 3), sRGB.
        views: how many there are.
        used: how many of them are used.
        painted: how many of these are shown as they were painted.
        painter: what the extractor that paints is called; "" for none.
    """

    handle: Handle
    picture: NDArray[np.uint8]
    views: int
    used: int
    painted: int
    painter: str


def _sheet(handle: Handle, options: Options, folder: Path) -> Generator[Progress, None, _Sheet]:
    character = yield from read([handle])
    plan = yield from plan_features(character, options)
    recipe = plan.recipe
    if recipe.views is None:
        raise InputError("pictures-none", f"“{recipe.name}” looks at no pictures.", "Choose other features.")
    used = placed_count(recipe.views) - len(recipe.views.without)
    if plan.painter:
        without_pictures = options.changed(pictures="")
        yield from describe(character, without_pictures, folder / "features", afresh=plan.painted < used)
    all_views = replace(recipe, views=replace(recipe.views, without=()))
    rendered = yield from render(character, plan, all_views, options)
    rendered.save(folder / "passes")
    kept = Path(options.features.pictures) if options.features.pictures else None
    sheet = yield from client.shared().run(
        MakeContactSheet(
            passes=folder / "passes",
            recipe=recipe,
            key=plan.key,
            keep=kept / file_name(handle.name) if kept else None,
            output=folder / "sheet.npy",
        )
    )
    picture = load_array(sheet.picture, "HW3")
    if kept:
        write_png(sheet_file(kept, handle.name), picture)
    painted = sheet.painted if plan.painter else 0
    return _Sheet(handle, picture, len(rendered.depth), used, painted, plan.painter)


def _sentence(sheet: _Sheet) -> str:
    how = f"as {sheet.painter} painted them" if sheet.painter else "as rendered"
    shown = sheet.painted if sheet.painter else sheet.used
    return (
        f"“{sheet.handle.name}”: {sheet.used} of {sheet.views} views are used, {shown} of them shown {how};"
        " leave others out by their numbers."
    )
