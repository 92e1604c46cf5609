"""Commands about maps of pictures: picture pairs, picture learn, picture apply."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..pictures.learning.options import PairOptions, PictureLearningOptions
from ..worker.options import WorkerOptions
from .arguments import (
    MESH,
    PHOTOS,
    CommandResult,
    command,
    option_arguments,
    options,
    output_argument,
    result_with_file,
    strict_argument,
    warning_data,
)
from .console import drive


def add(group: Any) -> None:
    """Add this module's commands to the group of commands on pictures."""
    parser = command(group, "pairs", _pairs, "render pictures of meshes to learn from", needs_blender=True)
    parser.add_argument("mesh", nargs="+", help=MESH)
    option_arguments(parser, PairOptions)
    parser.add_argument(
        "--output", type=Path, required=True, dest="into", metavar="PAIRS", help="the folder to write; is gone on with"
    )

    parser = command(group, "learn", _learn, "learn a map of pictures from pairs", needs_blender=True)
    parser.add_argument("learned_from", type=Path, metavar="PAIRS", help="a folder of “meshkin picture pairs”")
    option_arguments(parser, PictureLearningOptions)
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    output_argument(parser, "LORA.safetensors")

    parser = command(group, "apply", _apply, "find the map of a picture with what was learned", needs_blender=True)
    parser.add_argument("photo", help=f"the picture ({' '.join(PHOTOS)})")
    what = "what “meshkin picture learn” has written, or the name of an imported LoRA"
    parser.add_argument("--with", dest="learned", required=True, metavar="LORA", help=what)
    what = "the Stable Diffusion model that a LoRA is for; default: the one that it was learned on"
    parser.add_argument("--base", default="", metavar="MODEL", help=what)
    option_arguments(parser, WorkerOptions)
    output_argument(parser, "MAP.png")


def _pairs(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend, files

    blend.remove_objects()
    objects = [files.load(name) for name in arguments.mesh]
    report = drive(workflow.picture_pairs(objects, arguments.into, options(arguments)))
    return result_with_file(report, "Written to", arguments.into)


def _learn(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    report = drive(workflow.learn_picture(arguments.learned_from, arguments.output, options(arguments)))
    return result_with_file(report, "Written to", arguments.output)


def _apply(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    job = workflow.apply_picture(
        arguments.photo, arguments.learned, arguments.output, arguments.base, options(arguments)
    )
    report = drive(job)
    return [report.summary()], {"title": report.title, **report.data, **warning_data(report)}
