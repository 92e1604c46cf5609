"""COCO: boxes, masks and key points. Source: cocodataset.org, "Data format"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...base.progress import ProgressCallback, silent
from ..files import write_json
from ..record import DataFolder, PicturePasses, PictureRecord, SetRecord
from .shared import HALF_PIXEL, each_record, key_point_names, key_points_of, picture_path, runs, shown


def write(folder: DataFolder, report: ProgressCallback = silent) -> Path:
    """Write ``annotations.json``; returns it.

    Masks are of what is seen, run by run (not compressed; pycocotools takes both). Key points count from the middle of
    the upper left pixel, boxes from its corner, as COCO's readers take them.

    Raises StorageError, InputError ``data-invalid``.
    """
    data = SetRecord.load(folder.path)
    names = key_point_names(data)
    numbers = {category: number for number, category in enumerate(data.categories, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for record in each_record(folder, report):
        size = {"width": record.width, "height": record.height}
        images.append({"id": record.number, "file_name": picture_path(folder, record), **size})
        annotations += _annotations(folder, record, data, numbers, len(annotations))
    categories = [
        {"id": number, "name": category, "supercategory": "", "keypoints": names[category], "skeleton": []}
        for category, number in numbers.items()
    ]
    whole = {"info": {"description": ""}, "licenses": [], "images": images}
    return write_json(folder.path / "annotations.json", {**whole, "annotations": annotations, "categories": categories})


def _annotations(
    folder: DataFolder, record: PictureRecord, data: SetRecord, numbers: dict[str, int], count: int
) -> list[dict[str, Any]]:
    """The annotations of a picture; so many are there before."""
    names = key_point_names(data)
    passes = PicturePasses.load(folder.passes(record.number))
    found: list[dict[str, Any]] = []
    for instance in shown(record):
        category = data.model(instance.model).category
        points = key_points_of(instance, names[category], -HALF_PIXEL)
        found.append(
            {
                "id": count + len(found) + 1,
                "image_id": record.number,
                "category_id": numbers[category],
                "bbox": list(instance.box),
                "area": instance.pixels[0],
                "iscrowd": 0,
                "segmentation": {
                    "size": [record.height, record.width],
                    "counts": runs(passes.object == instance.id),
                },
                "keypoints": points,
                "num_keypoints": sum(value > 0 for value in points[2::3]),
            }
        )
    return found
