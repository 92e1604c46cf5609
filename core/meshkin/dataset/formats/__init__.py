"""Writers of the formats that trainers read, each from the same records; inside the folder of the data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...base.progress import ProgressCallback
from ..record import DataFolder
from . import bop, coco, kitti, nerf, omni3d, pascal3d, yolo

WRITERS: dict[str, Callable[[DataFolder, ProgressCallback], Path]] = {
    "coco": coco.write,
    "bop": bop.write,
    "omni3d": omni3d.write,
    "kitti": kitti.write,
    "pascal3d": pascal3d.write,
    "yolo": yolo.write,
    "nerf": nerf.write,
}
"""For each format what writes it, and returns the file or folder that was written."""
