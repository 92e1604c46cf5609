"""Arguments that several commands share, and the library's options made from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from ..base.errors import OptionError
from ..base.options import Option, assignments, options_of

if TYPE_CHECKING:
    from ..workflow import Options, Report

CommandResult = tuple[list[str], dict[str, Any]]
"""What each command returns: the lines to print, and the same facts as JSON values for ``--json``; of these,
``warnings`` (codes and messages) are printed to standard error, too."""
MESH = "a mesh file (.obj .ply .stl .off .glb .gltf .fbx .usd) or FILE.blend:OBJECT"
"""Help of an argument that is a mesh."""
MESH_SUFFIXES = (".obj", ".ply", ".stl", ".off", ".glb", ".gltf", ".fbx", ".usd", ".usda", ".usdc", ".usdz")
"""Suffixes of mesh files."""
PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Suffixes of files that are photos."""
STRICT_EXIT_CODE = 7
"""Exit code of a command with ``--strict`` that has warnings."""
UNSET = argparse.SUPPRESS
"""Default of all option arguments: one that is not given is left out, so that the library's own default is used."""


def command(commands: Any, name: str, run: Any, text: str, needs_blender: bool = False) -> argparse.ArgumentParser:
    """Add a command and return its parser; ``run`` carries out the command."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run, needs_blender=needs_blender, strict=False)
    return parser


def strict_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument of all commands whose result can be poor."""
    parser.add_argument(
        "--strict",
        action="store_true",
        help=f"end with exit code {STRICT_EXIT_CODE} if there are warnings; results are written",
    )


def output_argument(parser: argparse.ArgumentParser, metavar: str) -> None:
    """Add the argument for the file to write."""
    parser.add_argument("--output", type=Path, required=True, metavar=metavar, help="the file to write")


def mask_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument for the mask of a photo."""
    parser.add_argument(
        "--photo-mask", default="", metavar="IMAGE", help="an image that is white where the photo shows the object"
    )


def option_arguments(parser: argparse.ArgumentParser, group: type, only: Sequence[str] = ()) -> None:
    """Add an argument for each option of a group, or for some of its fields ``only``."""
    hints = get_type_hints(group)
    for name, option in options_of(group).items():
        if option.command and (not only or name in only):
            parser.add_argument(
                option.argument, dest=option.flat, default=UNSET, **_argument_settings(option, hints[name])
            )


def _argument_settings(option: Option, hint: Any) -> dict[str, Any]:
    """Return what ``add_argument`` needs for an option whose field has the type ``hint``."""
    settings: dict[str, Any] = {"help": _help(option).replace("%", "%%")}
    if hint is bool or hint == bool | None:
        return {**settings, "action": "store_true" if not option.default else argparse.BooleanOptionalAction}
    if option.argument == "--set":
        return {**settings, "action": "append", "metavar": option.metavar}
    if option.metavar:
        settings["metavar"] = option.metavar
    if option.choices and not option.text:
        settings["choices"] = option.values
    for number_type in (int, float):
        if hint in (number_type, number_type | None):
            settings["type"] = number_type
    return settings


def _help(option: Option) -> str:
    """Return an option's description, with its choices and its default unless the description explains that already."""
    text = option.description[0].lower() + option.description[1:]
    if option.choices and option.text:
        text += f"; any of {', '.join(option.values)}"
    default = option.text.write(option.default) if option.text else str(option.default)
    is_explained = f"{default.removesuffix('.0')}: " in text or "below 0: " in text
    is_empty = option.default is False or option.default in (None, "", (), {})
    return text if is_explained or is_empty else f"{text}; default: {default}"


def options(arguments: argparse.Namespace) -> Options:
    """Return the library's options that the arguments give.

    Names of objects stay names; the commands replace them by the objects of the open file.

    Raises OptionError ``option-invalid`` for a text that cannot be parsed, and as
    :func:`meshkin.data.point_pairs.read`.
    """
    from ..data import point_pairs
    from ..workflow import Options

    defaults = Options()
    values: dict[str, Any] = {}
    for group in vars(defaults).values():
        for option in options_of(type(group)).values():
            if hasattr(arguments, option.flat):
                values[option.flat] = option.parsed(getattr(arguments, option.flat), option.argument)
    if "settings" in values:
        try:
            values["settings"] = assignments(values["settings"])
        except ValueError as error:
            raise OptionError(
                "option-invalid", f"--set {error} cannot be parsed.", "Write it as in --set steps=20."
            ) from error
    if "pairs" in values:
        values["pairs"] = point_pairs.read(Path(values["pairs"]))
    return defaults.changed(**values)


def result_with_file(report: Report, verb: str, output: Path) -> CommandResult:
    """Return what a job reports, with a sentence about its file, such as "Saved as OUTPUT."."""
    data = {"output": str(output), "title": report.title, "details": report.details, **report.data}
    return [report.summary(), *report.details, f"{verb} {output}."], {**data, **warning_data(report)}


def warning_data(report: Report) -> dict[str, Any]:
    """Return a report's warnings as JSON values; :func:`meshkin.cli.main` prints them."""
    return {"warnings": [asdict(each) for each in report.warnings]}
