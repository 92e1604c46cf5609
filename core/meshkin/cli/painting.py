"""The command that paints a texture on an object of a .blend file."""

from __future__ import annotations

import argparse
from typing import Any

from ..base.options import options_of
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..paint.options import PaintOptions
from ..transfer.texture.options import TextureOptions
from ..worker.options import WorkerOptions
from .arguments import (
    CommandResult,
    command,
    mask_argument,
    option_arguments,
    options,
    output_argument,
    strict_argument,
)
from .console import drive
from .scenes import file_arguments, saved_result


def add(commands: Any) -> None:
    """Add this module's command to the parser."""
    parser = command(commands, "paint", _paint, "paint an object's texture from words", needs_blender=True)
    file_arguments(parser, "target")
    parser.add_argument("--photo", default="", metavar="PHOTO", help="a photo of the object to paint it from, too")
    option_arguments(parser, MatchOptions, ("flip",))
    mask_argument(parser)
    option_arguments(parser, PaintOptions)
    option_arguments(parser, TextureOptions, ("size", "margin", "unwrap", "tiles", "folder"))
    features = [name for name in options_of(FeatureOptions) if "prompt" not in name]  # the prompt is the texture's
    option_arguments(parser, FeatureOptions, features)
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    output_argument(parser, "OUT.blend")


def _paint(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    target = blend.find_object(arguments.target)
    job = workflow.paint(target, options(arguments), arguments.photo, arguments.photo_mask)
    return saved_result(arguments, drive(job))
