"""Whether all that is known about the pictures of a set agrees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..base.errors import MeshKinError
from ..base.progress import ProgressCallback, silent
from ..base.storage import UNREADABLE
from .annotating import box_of
from .record import DataFolder, InstanceRecord, PicturePasses, PictureRecord, SetRecord

MOST_TOLD = 20
"""Problems that are told. Chosen: more are of the same kind."""
DARK = 8
"""A picture of which no pixel is lighter than this (of 255) is dark. Chosen."""
BOX_MARGIN = 1.5
"""How far a mask may lie outside its projected box, pixels. Chosen: rounding to pixels, and half of one."""


@dataclass
class Findings:
    """What was found.

    Attributes:
        good: numbers of the pictures whose files can be read.
        seen: for each class, how often an object of it is seen.
        problems: what is wrong.
        remarks: what may make the set of little use.
    """

    good: list[int] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check(folder: DataFolder, report: ProgressCallback = silent) -> Findings:
    """Read every file of a set and compare what they say.

    Raises InputError ``no-dataset``, StorageError if the set's own file is damaged.
    """
    data = SetRecord.load(folder.path)
    found = Findings(seen=dict.fromkeys(data.categories, 0))
    empty = dark = deformed = 0
    there = folder.numbers()
    for done, number in enumerate(there):
        report("Checking pictures", done / len(there))
        try:
            record, passes = folder.load(number), PicturePasses.load(folder.passes(number))
            with Image.open(folder.picture(number), formats=("PNG",)) as picture:
                size, lightest = picture.size, max(high for _, high in picture.convert("RGB").getextrema())  # type: ignore[misc]
            wrong = list(_disagreements(record, passes, size, data))
        except (MeshKinError, *UNREADABLE) as error:
            found.problems.append(f"Picture {number}: {error}")
            continue
        found.good.append(number)
        found.problems += [f"Picture {number}: {sentence}" for sentence in wrong]
        visible = [instance for instance in record.instances if instance.pixels[0]]
        for instance in visible:
            found.seen[data.model(instance.model).category] += 1
        empty += not visible
        dark += lightest <= DARK
        deformed += any(_is_deformed(instance, data) for instance in record.instances)
    found.problems[MOST_TOLD:] = [f"And {len(found.problems) - MOST_TOLD} more."] if found.problems[MOST_TOLD:] else []
    for count, sentence in (
        (empty, "show none of the objects"),
        (dark, "are dark: is there a light?"),
        (deformed, "show shapes that deform; BOP knows rigid ones only"),
    ):
        if count:
            found.remarks.append(f"{count:,} of {len(found.good):,} pictures {sentence}.".replace("?.", "?"))
    found.remarks += [f"No picture shows a {name}." for name, count in found.seen.items() if not count and there]
    return found


def _disagreements(
    record: PictureRecord, passes: PicturePasses, size: tuple[int, int], data: SetRecord
) -> Iterator[str]:
    """What does not agree about a picture, in sentences."""
    if (record.width, record.height) != size or passes.depth.shape != size[::-1]:
        yield f"it has {size[0]} x {size[1]} pixels, its record {record.width} x {record.height}."
        return
    if len(passes.masks) != len(record.instances):
        yield f"it has {len(passes.masks)} masks for {len(record.instances)} objects."
        return
    known = {model.number for model in data.models}
    for instance, whole in zip(record.instances, passes.masks, strict=True):
        mask = passes.object == instance.id
        if instance.model not in known:
            yield f"“{instance.name}” has a model that is not there."
        elif (int(mask.sum()), int(whole.sum())) != instance.pixels[:2] or box_of(mask) != instance.box:
            yield f"the mask of “{instance.name}” is not that of its record."
        elif (mask & ~whole).any():
            yield f"more of “{instance.name}” is seen than there is."
        elif not _within_box(record, instance, whole):
            yield f"the mask of “{instance.name}” is not where its 3D box is."


def _within_box(record: PictureRecord, instance: InstanceRecord, mask: NDArray[np.bool_]) -> bool:
    """Whether a mask lies in the projection of its 3D box; a box that reaches behind the camera has none."""
    pose = record.model_to_camera(instance)
    corners = instance.corners() @ pose[:3, :3].T + pose[:3, 3]
    if corners[:, 2].min() <= 0:
        return True
    places, _ = record.camera.project_camera(corners)
    left, top, width, height = box_of(mask)
    low, high = places.min(axis=0) - BOX_MARGIN, places.max(axis=0) + BOX_MARGIN
    return bool((low <= (left, top)).all() and (high >= (left + width, top + height)).all())


def _is_deformed(instance: InstanceRecord, data: SetRecord) -> bool:
    """Whether the shape's box is another than that of its model."""
    model = data.model(instance.model)
    away = np.abs(np.array((instance.low, instance.high)) - (model.low, model.high)).max()
    return bool(away > BOX_MARGIN / 100 * model.diameter)
