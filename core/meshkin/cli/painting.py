"""The command that paints a texture on an object of a .blend file, and the one that learns a subject for it."""

from __future__ import annotations

import argparse
from typing import Any

from ..base.options import options_of
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..paint.options import PaintOptions, SubjectOptions
from ..transfer.texture.options import TextureOptions
from ..worker.options import WorkerOptions
from .arguments import (
    PHOTOS,
    CommandResult,
    command,
    mask_argument,
    option_arguments,
    options,
    output_argument,
    result_with_file,
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

    summary = "things that are learned from photos, for textures that show them"
    group = commands.add_parser("subject", help=summary).add_subparsers(dest="what", required=True)
    parser = command(group, "learn", _learn, "learn a thing from a photo", needs_blender=True)
    parser.add_argument("photo", help=f"a photo of it ({' '.join(PHOTOS)})")
    parser.add_argument("more", nargs="*", help="other views of the same thing")
    mask_argument(parser)
    option_arguments(parser, SubjectOptions)
    option_arguments(parser, PaintOptions, ("models", "slow"))
    option_arguments(parser, WorkerOptions)
    output_argument(parser, "SUBJECT.safetensors")


def _paint(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    target = blend.find_object(arguments.target)
    job = workflow.paint(target, options(arguments), arguments.photo, arguments.photo_mask)
    return saved_result(arguments, drive(job))


def _learn(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    job = workflow.learn_subject(
        arguments.photo, arguments.output, options(arguments), arguments.photo_mask, arguments.more
    )
    return result_with_file(drive(job), "Written to", arguments.output)
