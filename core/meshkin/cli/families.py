"""Commands about families: learn, info."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.json_data import to_json
from ..families import record
from ..families.options import FamilyOptions
from ..features.options import FeatureOptions
from ..worker.options import WorkerOptions
from .arguments import MESH, CommandResult, command, option_arguments, options, strict_argument, warning_data
from .console import drive


def add(commands: Any) -> None:
    """Add this module's commands to the parser."""
    summary = "features that are learned from shapes of one kind"
    group = commands.add_parser("family", help=summary).add_subparsers(dest="what", required=True)
    parser = command(group, "learn", _learn, "learn a family from several meshes of one kind", needs_blender=True)
    parser.add_argument("name", help="what to call it")
    parser.add_argument("mesh", nargs="+", help=MESH)
    for options_group in (FamilyOptions, FeatureOptions, WorkerOptions):
        option_arguments(parser, options_group)
    strict_argument(parser)
    parser.add_argument(
        "--output", type=Path, dest="copy", metavar="FOLDER", help="also copy the family to this folder"
    )
    parser = command(group, "info", _info, "show the families that were learned, or what one was learned from")
    parser.add_argument("name", nargs="?", default="", help="name of a family; default: all")


def _learn(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import files

    if arguments.copy is not None and arguments.copy.exists():
        raise InputError("output-exists", f"There is {arguments.copy} already.", "Name a new folder.")
    objects = [files.load(name) for name in arguments.mesh]
    report = drive(workflow.learn_family(objects, arguments.name, options(arguments)))
    lines = [report.summary(), *report.details]
    if arguments.copy is not None:
        shutil.copytree(report.data["folder"], arguments.copy)
        lines.append(f"Copied to {arguments.copy}.")
    data = {"title": report.title, "details": report.details, **report.data}
    return lines, {**data, **warning_data(report)}


def _info(arguments: argparse.Namespace) -> CommandResult:
    families = [each for each in record.listing() if arguments.name in ("", each.name)]
    if arguments.name and not families:
        raise InputError("family-missing", f"There is no family “{arguments.name}”.", "Learn it first.")
    lines = []
    for family in families:
        lines.append(f"{family.name}: {family.described()}")
        if family.curve.steps:
            lines.append(f"    error of the distances {family.curve.drawn()}")
        if arguments.name:
            lines += [f"    {member.name}{_note(member)}" for member in family.members]
    return lines or ["No family has been learned yet."], {"families": [to_json(family) for family in families]}


def _note(member: record.MemberNote) -> str:
    held_out = ", held out" if member.held_out else ""
    return held_out + ("" if member.sided else ", left and right not told apart")
