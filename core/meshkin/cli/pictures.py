"""Commands on pictures: picture maps; and those of :mod:`meshkin.cli.picture_learning`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..base.options import options_of
from ..features.options import FeatureOptions
from ..pictures.options import PictureOptions
from ..worker.options import WorkerOptions
from . import picture_learning
from .arguments import (
    MESH,
    PHOTOS,
    UNSET,
    CommandResult,
    command,
    mask_argument,
    option_arguments,
    options,
    result_with_file,
    strict_argument,
)
from .console import drive


def add(commands: Any) -> None:
    """Add this module's commands to the parser."""
    summary = "maps that networks read from a photo, and learning such maps"
    group = commands.add_parser("picture", help=summary).add_subparsers(dest="picture", required=True)
    text = "read a photo's colors without light, depth, normals, roughness or metallic"
    parser = command(group, "maps", _maps, text, needs_blender=True)
    parser.add_argument("photo", help=f"the photo ({' '.join(PHOTOS)})")
    parser.add_argument("--target", metavar="MESH", help=f"what the photo shows, to fit the depth to: {MESH}")
    mask_argument(parser)
    option_arguments(parser, PictureOptions, ("what", "steps", "resolution", "seed"))
    option = options_of(PictureOptions)["model"]
    parser.add_argument("--model", dest=option.flat, default=UNSET, metavar="MODEL", help=option.description)
    option_arguments(parser, FeatureOptions, ("extractor",))
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    parser.add_argument(
        "--output", type=Path, required=True, dest="folder", metavar="FOLDER", help="gets a PNG file for each map"
    )
    picture_learning.add(group)


def _maps(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend, files

    blend.remove_objects()
    target = files.load(arguments.target) if arguments.target else None
    job_options = options(arguments).changed(pictures=str(arguments.folder))
    report = drive(workflow.picture_maps(arguments.photo, job_options, arguments.photo_mask, target))
    return result_with_file(report, "Written to", arguments.folder)
