"""Commands on objects of a .blend file, which is saved under another name: transfer, pose, motion and more."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import (
    PHOTOS,
    Answer,
    command,
    feature_arguments,
    guidance_arguments,
    mask_argument,
    names,
    options,
    output_argument,
    told,
)
from .console import drive

if TYPE_CHECKING:
    from ..workflow import Options, Report


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    one = command(commands, "transfer", _transfer, "carry things between two objects of a file", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument(
        "--what",
        default="texture,weights,attributes",
        help="any of texture, weights, attributes, materials, uvs, shape_keys, detail, hair, armature",
    )
    _texture_arguments(one)
    one.add_argument(
        "--channels", type=names, default=(), metavar="NAME,…",
        help="of base_color, roughness, metallic, normal, emission, alpha, displacement, other; default: all",
    )  # fmt: skip
    one.add_argument(
        "--texture-threshold", type=float, default=0.0, help="confidence below which textures are filled in from around"
    )
    one.add_argument(
        "--map-smoothing", type=float, default=0.0, help="evens out the map's detail, hundredths of the object's size"
    )
    one.add_argument("--unwrap", default="smart", choices=("smart", "xatlas"), help="for a target without UVs")
    one.add_argument("--tiles", default="auto", choices=("auto", "udim", "one"), help="what UVs outside 0 to 1 mean")
    one.add_argument("--texture-folder", default="", metavar="FOLDER", help="keep new images as files; default: packed")
    one.add_argument("--limit", type=int, default=4, help="most groups a vertex may be weighted to")
    one.add_argument(
        "--way",
        default="auto",
        choices=("auto", "map", "features"),
        help="weights by the map, or learned from features",
    )
    one.add_argument("--groups", default="deform", choices=("deform", "all", "selected", "active"))
    one.add_argument("--pattern", default="", help="only vertex groups whose names fit, as in 'DEF-*'")
    one.add_argument("--rename", default="", metavar="OLD=NEW,…", help="groups called otherwise on the target")
    one.add_argument(
        "--also", default="", metavar="OBJECT,…", help="meshes that lie on the target: they get weights and rig with it"
    )
    one.add_argument("--mix", type=float, default=1.0, help="how much of the new weights is taken, 0 to 1")
    one.add_argument("--mask", default="", metavar="GROUP", help="the target's vertex group that limits the transfer")
    _through_argument(one)
    guidance_arguments(one)
    one.add_argument("--smoothing", type=int, default=0, help="how often weights are averaged with their neighbors'")
    one.add_argument("--threshold", type=float, default=0.4, help="confidence below which weights are inpainted")
    one.add_argument(
        "--nearness", default="auto", choices=("auto", "always", "never"), help="weights from the nearest point"
    )
    feature_arguments(one)
    output_argument(one, "OUT.blend")

    one = command(commands, "texture-photo", _texture_photo, "a photo as an object's texture", needs_blender=True)
    one.add_argument("photo", help=f"a picture ({' '.join(PHOTOS)})")
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--target", required=True, metavar="OBJECT")
    mask_argument(one)
    _texture_arguments(one)
    feature_arguments(one)
    output_argument(one, "OUT.blend")

    one = command(commands, "pose", _pose, "one object into another's pose, as a shape key", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT")
    one.add_argument("--target", required=True, metavar="OBJECT")
    _through_argument(one)
    one.add_argument("--threshold", type=float, default=0.4, help="confidence from which the match is relied on")
    guidance_arguments(one)
    feature_arguments(one)
    output_argument(one, "OUT.blend")

    one = command(commands, "motion", _motion, "one armature's action, played by another", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT", help="an armature, or what it poses")
    one.add_argument("--target", required=True, metavar="OBJECT", help="another with bones of the same names")
    output_argument(one, "OUT.blend")

    one = command(commands, "build-armature", _build_armature, "bones from vertex groups alone", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument("--groups", default="deform", choices=("deform", "all", "active"))
    one.add_argument("--pattern", default="", help="only vertex groups whose names fit, as in 'DEF-*'")
    output_argument(one, "OUT.blend")


def _texture_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--texture-size", type=int, default=2048)
    parser.add_argument("--margin", type=int, default=8, help="pixels around each island")


def _through_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--through", default="", metavar="OBJECT", help="match by way of this reference of a set")


def _transfer(arguments: argparse.Namespace) -> Answer:
    from .. import workflow

    source, target = _ends(arguments)
    chosen = _with_objects(arguments, also=arguments.also)
    return _saved(arguments, drive(workflow.transfer(source, target, list(names(arguments.what)), chosen)))


def _texture_photo(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    target = blend.find_object(arguments.target)
    job = workflow.texture_photo(arguments.photo, target, options(arguments), arguments.photo_mask)
    return _saved(arguments, drive(job))


def _pose(arguments: argparse.Namespace) -> Answer:
    from .. import workflow

    source, target = _ends(arguments)
    return _saved(arguments, drive(workflow.pose(source, target, _with_objects(arguments))))


def _motion(arguments: argparse.Namespace) -> Answer:
    from .. import workflow

    return _saved(arguments, drive(workflow.motion(*_ends(arguments))))


def _build_armature(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    chosen = workflow.Options(groups=arguments.groups, pattern=arguments.pattern)
    return _saved(arguments, drive(workflow.build_armature(blend.find_object(arguments.target), chosen)))


def _ends(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Open the file; its objects that are source and target."""
    from ..scene import blend

    blend.open_file(arguments.file)
    return blend.find_object(arguments.source), blend.find_object(arguments.target)


def _with_objects(arguments: argparse.Namespace, also: str = "") -> Options:
    """The options, with objects of the open file: the reference, and those that lie on the target."""
    from ..scene import blend

    chosen = options(arguments)
    if arguments.through:
        chosen = dataclasses.replace(chosen, through=blend.find_object(arguments.through))
    return dataclasses.replace(chosen, also=tuple(blend.find_object(name) for name in names(also)))


def _saved(arguments: argparse.Namespace, report: Report) -> Answer:
    """Save the open file with what a job has done to it."""
    from ..scene import blend

    blend.save_file(arguments.output)
    return told(report, "Saved as", arguments.output)
