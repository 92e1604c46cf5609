"""Arguments that several commands share, and the library's options that they make."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from ..base.errors import InputError
from ..base.options import Option, assignments, options_of

if TYPE_CHECKING:
    from ..workflow import Options, Report

Answer = tuple[list[str], dict[str, Any]]
"""What each command returns: the lines to print, and the same as JSON values."""
MESH = "a mesh file (.obj .ply .stl .off .glb .gltf .fbx .usd) or FILE.blend:OBJECT"
PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of files that are photographs."""
UNSET = argparse.SUPPRESS
"""An argument that is not given leaves no trace, so that the library's own default holds."""


def command(commands: Any, name: str, run: Any, text: str, needs_blender: bool = False) -> argparse.ArgumentParser:
    """A new command that ``run`` carries out."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run, needs_blender=needs_blender)
    return parser


def output_argument(parser: argparse.ArgumentParser, metavar: str) -> None:
    """The file to write."""
    parser.add_argument("--output", type=Path, required=True, metavar=metavar)


def mask_argument(parser: argparse.ArgumentParser) -> None:
    """The mask of a photograph."""
    parser.add_argument("--photo-mask", default="", metavar="IMAGE", help="white where the photo shows the object")


def option_arguments(parser: argparse.ArgumentParser, group: type, only: Sequence[str] = ()) -> None:
    """An argument for each option of a group, or for some of its fields ``only``."""
    hints = get_type_hints(group)
    for name, option in options_of(group).items():
        if option.command and (not only or name in only):
            parser.add_argument(option.argument, dest=option.flat, default=UNSET, **_how(option, hints[name]))


def _how(option: Option, hint: Any) -> dict[str, Any]:
    """How argparse takes an option of this type."""
    words = option.description[0].lower() + option.description[1:]
    if option.default not in (None, "", (), {}):
        words += f"; default: {_default(option)}"
    how: dict[str, Any] = {"help": words.replace("%", "%%")}
    if hint is bool or hint == bool | None:
        return {**how, "action": "store_true" if not option.default else argparse.BooleanOptionalAction}
    if option.argument == "--set":
        return {**how, "action": "append", "metavar": option.metavar}
    if option.metavar:
        how["metavar"] = option.metavar
    if option.choices and not option.text:
        how["choices"] = option.values
    for kind in (int, float):
        if hint in (kind, kind | None):
            how["type"] = kind
    return how


def _default(option: Option) -> str:
    return option.text.write(option.default) if option.text else str(option.default)


def options(arguments: argparse.Namespace) -> Options:
    """What the arguments say, as the library takes it.

    Names of objects stay names: commands put the objects of the open file in their place. Raises InputError
    ``option-invalid`` for a text that cannot be understood, and as :func:`meshkin.data.point_pairs.read`.
    """
    from ..data import point_pairs
    from ..workflow import Options

    chosen = Options()
    values: dict[str, Any] = {}
    for group in vars(chosen).values():
        for option in options_of(type(group)).values():
            if hasattr(arguments, option.flat):
                values[option.flat] = option.parsed(getattr(arguments, option.flat), option.argument)
    if "settings" in values:
        try:
            values["settings"] = assignments(values["settings"])
        except ValueError as error:
            raise InputError("option-invalid", f"--set {error} is not understood.", "As in --set steps=20.") from error
    if "pairs" in values:
        values["pairs"] = point_pairs.read(Path(values["pairs"]))
    return chosen.changed(**values)


def told(report: Report, done: str, output: Path) -> Answer:
    """What a job reports, and that its file lies there."""
    data = {"output": str(output), "title": report.title, "details": report.details, **report.data}
    return [*report.lines(), f"{done} {output}."], data
