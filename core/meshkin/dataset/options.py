"""Options of data sets."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.errors import OptionError
from ..base.options import NAMES, Choice, Text, option

SET_FILE = "dataset.json"
"""The file that says what a folder is a data set of."""
CAMERAS = (
    Choice("dst1", "All Around", "3D-DST's mode 1: from all around, mostly level"),
    Choice("dst2", "Front Half, Level", "3D-DST's mode 2: azimuths from -195 to 15 degrees, mostly level"),
    Choice("dst3", "All Around, Above", "3D-DST's mode 3: from all around, mostly from above"),
    Choice("dst4", "Front Half, Above", "3D-DST's mode 4: azimuths from -195 to 15 degrees, mostly from above"),
    Choice("dst5", "All Angles", "3D-DST's mode 5: azimuth and polar angle both uniform"),
    Choice("sphere", "Whole Sphere", "Evenly from all directions"),
    Choice("upper", "Upper Half", "Evenly from all directions above the horizon"),
    Choice("scene", "Scene's Own", "The scene's cameras in the frames of its range"),
)
AROUND = (
    Choice("each", "Each Object", "Cameras look at one object after another"),
    Choice("all", "All Objects", "Cameras look at the middle of all objects"),
)
CLASSES_FROM = (
    Choice("name", "Names", "The object's name without its number, as in Chair.001"),
    Choice("collection", "Collections", "The name of the collection that the object is in"),
)
FORMAT_CHOICES = (
    Choice("coco", "COCO", "Boxes, masks and key points in one JSON file"),
    Choice("bop", "BOP", "Rigid poses, masks, depth and models"),
    Choice("omni3d", "Omni3D", "3D boxes, for Cube R-CNN"),
    Choice("kitti", "KITTI", "3D boxes that turn about one axis, and calibrations"),
    Choice("pascal3d", "PASCAL3D+", "A viewpoint for each object, with 3D-DST's keys"),
    Choice("yolo", "YOLO", "A text file of boxes and key points for each picture"),
    Choice("nerf", "NeRF", "Cameras alone, as transforms.json"),
)


def _formats(text: str) -> tuple[str, ...]:
    """The formats in a text, between commas; raises ValueError."""
    chosen = NAMES.parse(text)
    known = [choice.value for choice in FORMAT_CHOICES]
    for name in chosen:
        if name not in known:
            raise ValueError(f"“{name}” is none of {', '.join(known)}")
    return tuple(chosen)


@dataclass(frozen=True)
class DatasetOptions:
    """How the pictures of a data set are made."""

    count: int = option(
        100,
        "Pictures",
        "How many pictures the data set has",
        flat="dataset_count",
        flag="--count",
        least=1,
        most=10_000_000,
        soft_most=10_000,
    )
    resolution: int = option(
        512,
        "Resolution",
        "Width and height of a picture; of the scene's cameras, the longer",
        flat="dataset_resolution",
        flag="--resolution",
        least=16,
        most=8192,
        unit="PIXEL",
    )
    cameras: str = option(
        "dst1", "Cameras", "Where cameras stand", choices=CAMERAS, flat="dataset_cameras", flag="--cameras"
    )
    around: str = option(
        "each", "Around", "What drawn cameras look at", choices=AROUND, flat="dataset_around", flag="--around"
    )
    distance: float = option(
        1.5,
        "Distance",
        "Mean distance of drawn cameras, in longest sides of what they look at",
        flat="dataset_distance",
        flag="--distance",
        least=0.01,
        most=1000,
        soft_most=10,
    )
    spread: float = option(
        0.5,
        "Spread",
        "Standard deviation of that distance, and the most that it differs",
        flat="dataset_spread",
        flag="--spread",
        least=0,
        most=1000,
        soft_most=2,
    )
    animate: bool = option(
        False,
        "Any Frame",
        "Draw a frame of the scene's range for each picture, too",
        flat="dataset_animate",
        flag="--animate",
    )
    samples: int = option(
        32,
        "Samples",
        "Samples of Cycles for each pixel, before denoising",
        flat="dataset_samples",
        flag="--samples",
        least=1,
        most=65_536,
        soft_most=512,
    )
    classes: str = option(
        "name",
        "Classes",
        "What gives objects their classes",
        choices=CLASSES_FROM,
        flat="dataset_classes",
        flag="--classes",
    )
    formats: tuple[str, ...] = option(
        ("coco",),
        "Formats",
        "What is written for trainers, beside MeshKin's own records",
        flat="dataset_formats",
        flag="--formats",
        choices=FORMAT_CHOICES,
        metavar="FORMAT,…",
        text=Text(_formats, NAMES.write, "coco, bop"),
    )
    seed: int = option(
        0, "Seed", "Another number gives other cameras", flat="dataset_seed", flag="--seed", least=0, most=2**31 - 1
    )
    drop: float = option(
        0.1,
        "Drop",
        "Share of each class that the filter drops: poses that agree least with the others",
        flat="dataset_drop",
        flag="--drop",
        least=0,
        most=0.9,
        unit="FACTOR",
    )
    share: str = option(
        "1/1",
        "Share",
        "Which of the pictures to make, of so many shares: 2/4 are every fourth one",
        flat="dataset_share",
        flag="--share",
        metavar="I/N",
        panel=False,
    )

    def numbers(self) -> list[int]:
        """The numbers of the pictures to make; raises OptionError ``option-invalid``."""
        first, _, shares = self.share.partition("/")
        try:
            start, step = int(first), int(shares)
        except ValueError:
            start = step = 0
        if not 1 <= start <= step:
            raise OptionError("option-invalid", f"“{self.share}” is no share.", "Write it as in 2/4.")
        return list(range(start - 1, self.count, step))
