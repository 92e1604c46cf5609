"""The command dataset: make, check and join data sets."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..dataset import joining
from ..dataset.options import DatasetOptions, LookOptions
from ..pictures.options import PictureOptions
from ..worker.options import WorkerOptions
from .arguments import CommandResult, command, option_arguments, options, strict_argument, warning_data
from .console import drive

VERBS = ("make", "paint", "check", "filter", "join")
"""What can be done with data sets."""


def add(commands: Any) -> None:
    """Add this module's command to the parser."""
    summary = "pictures of a scene's objects with all that is known about them"
    parser = command(commands, "dataset", _dataset, summary, needs_blender=True)
    what = "make pictures; paint them over; check a data set; filter out what is wrong; join parts of one"
    parser.add_argument("action", choices=VERBS, help=what)
    what = "make: the .blend file; paint, check, filter: the folder of a data set; join: those of its parts"
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE.blend|FOLDER", help=what)
    parser.add_argument(
        "--objects", metavar="OBJECT,…", help="names of objects, or of collections, between commas; an armature stands"
        " for its whole character; default: all meshes",
    )  # fmt: skip
    what = "an object whose key points are carried to the others first"
    parser.add_argument("--template", metavar="OBJECT", help=what)
    option_arguments(parser, DatasetOptions)
    option_arguments(parser, LookOptions)
    option_arguments(parser, PictureOptions, only=("model",))
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    what = "gets the data set; pictures that are there are not made again"
    parser.add_argument("--output", type=Path, dest="folder", metavar="FOLDER", help=what)


def _dataset(arguments: argparse.Namespace) -> CommandResult:
    if arguments.action != "join" and len(arguments.paths) > 1:
        raise InputError("dataset-paths", f"“{arguments.action}” takes one path.", "Leave out the others.")
    if arguments.action == "check":
        from .. import workflow

        formats = options(arguments).dataset.formats if hasattr(arguments, "dataset_formats") else ()
        return _told(drive(workflow.check_dataset(arguments.paths[0].resolve(), formats)))
    if arguments.action in ("paint", "filter"):
        from .. import workflow

        do = workflow.paint_dataset if arguments.action == "paint" else workflow.filter_dataset
        return _told(drive(do(arguments.paths[0].resolve(), options(arguments))))
    if arguments.folder is None:
        raise InputError("dataset-output", "It is not said where the data set goes.", "Write --output FOLDER.")
    return _make(arguments) if arguments.action == "make" else _join(arguments)


def _make(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.paths[0])
    objects = blend.find_shown(arguments.objects) if arguments.objects else blend.rendered_meshes()
    template = blend.find_object(arguments.template) if arguments.template else None
    report = drive(workflow.dataset(objects, arguments.folder.resolve(), options(arguments), template))
    return _told(report)


def _join(arguments: argparse.Namespace) -> CommandResult:
    count = joining.join(arguments.paths, arguments.folder)
    data = {"pictures": count, "folder": str(arguments.folder)}
    return [f"{count:,} pictures are in {arguments.folder}."], data


def _told(report: Any) -> CommandResult:
    data = {"title": report.title, "details": report.details, **report.data}
    return [report.summary(), *report.details], {**data, **warning_data(report)}
