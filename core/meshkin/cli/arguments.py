"""Arguments that several commands share, and the library's options that they make."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.errors import InputError
from ..base.sides import parse_table

if TYPE_CHECKING:
    from ..workflow import Options, Report

Answer = tuple[list[str], dict[str, Any]]
"""What each command returns: the lines to print, and the same as JSON values."""
MESH = "a mesh file (.obj .ply .stl .off .glb .gltf .fbx .usd) or FILE.blend:OBJECT"
PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of files that are photographs."""
TRANSFERS = (
    "texture_size", "margin", "channels", "texture_threshold", "map_smoothing", "unwrap", "tiles", "texture_folder",
    "limit", "smoothing", "threshold", "way", "nearness", "groups", "pattern", "mix", "mask",
)  # fmt: skip
"""Arguments of transfers that are options of the same name."""


def command(commands: Any, name: str, run: Any, text: str, needs_blender: bool = False) -> argparse.ArgumentParser:
    """A new command that ``run`` carries out."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run, needs_blender=needs_blender)
    return parser


def output_argument(parser: argparse.ArgumentParser, metavar: str) -> None:
    parser.add_argument("--output", type=Path, required=True, metavar=metavar)


def mask_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photo-mask", default="", metavar="IMAGE", help="white where the photo shows the object")


def guidance_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="point pairs, as JSON or as rows: vertex numbers or coordinates, source first; default: the empties "
        "“Kin …” of .blend files",
    )
    parser.add_argument(
        "--flip", action="store_true", help="take the other answer: left for right, or a part's other place"
    )


def feature_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", default="auto", metavar="NAME", help="extractor, or several joined by +")
    parser.add_argument("--model", default="", help="folder or hub id of the first extractor's model")
    parser.add_argument("--layers", default="", help="blocks of that model to read, as in 9,11")
    parser.add_argument("--views", type=int, default=0, help="number of evenly spread views")
    parser.add_argument("--rings", default="", help="rings of views instead: ELEVATION:COUNT,… in degrees")
    parser.add_argument("--without", default="", metavar="VIEWS", help="numbers of views to leave out, as in 3,7")
    parser.add_argument("--resolution", type=int, default=0, help="of the rendered views, pixels")
    parser.add_argument("--style", default="", choices=("", "normal", "shading", "textured"), help="of those pictures")
    parser.add_argument("--background", type=float, default=-1.0, help="gray level behind the object, 0 to 1")
    parser.add_argument("--render", default="auto", choices=("auto", "gpu", "cycles"))
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--prompt", default="", help="what the object is, for diff3f; default: its name")
    parser.add_argument("--negative-prompt", default="", help="what diff3f is not to paint")
    parser.add_argument("--profile", default="", choices=("", "fast", "reference"), help="of diff3f")
    parser.add_argument("--seed", type=int, help="of the noise of diff3f and sd_dino")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="of diff3f or sd_dino, as JSON"
    )
    parser.add_argument("--online", action="store_true", help="models may be fetched from the hub")
    parser.add_argument("--pictures", default="", metavar="FOLDER", help="save the rendered views as pictures")


def options(arguments: argparse.Namespace) -> Options:
    """What the arguments say, as the library takes it; raises InputError ``option-invalid``."""
    from ..workflow import Options

    try:
        layers = tuple(int(text) for text in arguments.layers.split(",") if text)
        pairs = [text.split(":") for text in arguments.rings.split(",") if text]
        rings = tuple((float(elevation), int(count)) for elevation, count in pairs)
        without = tuple(int(text) for text in arguments.without.split(",") if text.strip())
        rename = tuple(parse_table(getattr(arguments, "rename", "")).items())
    except ValueError as error:
        raise InputError(
            "option-invalid",
            f"--layers, --rings, --without or --rename is not understood: {error}.",
            "As in --layers 9,11 --rings 0:8,30:6 --rename arm.L=LeftArm.",
        ) from error
    return Options(
        features=arguments.features,
        model=arguments.model,
        layers=layers,
        views=arguments.views,
        rings=rings,
        without=without,
        resolution=arguments.resolution,
        style=arguments.style,
        background=arguments.background,
        render_path=arguments.render,
        device=arguments.device,
        online=arguments.online,
        pictures=arguments.pictures,
        prompt=arguments.prompt,
        negative_prompt=arguments.negative_prompt,
        profile=arguments.profile,
        seed=arguments.seed,
        settings=dict(_setting(text) for text in arguments.set),
        **_guidance(arguments),
        rename=rename,
        **{name: getattr(arguments, name) for name in TRANSFERS if hasattr(arguments, name)},
    )


def _guidance(arguments: argparse.Namespace) -> dict[str, Any]:
    from ..data import point_pairs

    found: dict[str, Any] = {}
    if getattr(arguments, "pairs", None):
        found["pairs"] = point_pairs.read(arguments.pairs)
    if getattr(arguments, "flip", False):
        found["flip"] = True
    return found


def _setting(text: str) -> tuple[str, Any]:
    """NAME and VALUE of NAME=VALUE; a value that is no JSON is a text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise InputError("option-invalid", f"--set {text} is not understood.", "As in --set steps=20.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def names(text: str) -> tuple[str, ...]:
    """The names in a text such as “one, two”."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def told(report: Report, done: str, output: Path) -> Answer:
    """What a job reports, and that its file lies there."""
    data = {"output": str(output), "title": report.title, "details": report.details, **report.data}
    return [*report.lines(), f"{done} {output}."], data
