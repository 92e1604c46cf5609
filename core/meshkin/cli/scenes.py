"""Commands on objects of a .blend file, which is saved under another name: transfer, pose, motion and more."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.options import names
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..transfer.attributes.options import AttributeOptions
from ..transfer.rig.options import RigOptions
from ..transfer.texture.options import TextureOptions
from ..transfer.weights.options import WeightOptions
from ..worker.options import WorkerOptions
from .arguments import PHOTOS, Answer, command, mask_argument, option_arguments, options, output_argument, told
from .console import drive

if TYPE_CHECKING:
    from ..workflow import Options, Report


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    one = command(commands, "transfer", _transfer, "carry things between two objects of a file", needs_blender=True)
    _file_arguments(one, "source", "target")
    one.add_argument(
        "--what",
        default="texture,weights,attributes",
        help="any of texture, weights, attributes, materials, uvs, shape_keys, detail, hair, armature",
    )
    for group in (TextureOptions, WeightOptions, AttributeOptions, MatchOptions, FeatureOptions, WorkerOptions):
        option_arguments(one, group)
    option_arguments(one, RigOptions, ("also",))
    output_argument(one, "OUT.blend")

    one = command(commands, "texture-photo", _texture_photo, "a photo as an object's texture", needs_blender=True)
    one.add_argument("photo", help=f"a picture ({' '.join(PHOTOS)})")
    _file_arguments(one, "target")
    mask_argument(one)
    option_arguments(one, TextureOptions, ("size", "margin", "unwrap"))
    option_arguments(one, FeatureOptions)
    option_arguments(one, WorkerOptions)
    output_argument(one, "OUT.blend")

    one = command(commands, "pose", _pose, "one object into another's pose, as a shape key", needs_blender=True)
    _file_arguments(one, "source", "target")
    option_arguments(one, RigOptions, ("threshold",))
    for group in (MatchOptions, FeatureOptions, WorkerOptions):
        option_arguments(one, group)
    output_argument(one, "OUT.blend")

    one = command(commands, "motion", _motion, "one armature's action, played by another", needs_blender=True)
    _file_arguments(one)
    one.add_argument("--source", required=True, metavar="OBJECT", help="an armature, or what it poses")
    one.add_argument("--target", required=True, metavar="OBJECT", help="another with bones of the same names")
    output_argument(one, "OUT.blend")

    one = command(commands, "build-armature", _build_armature, "bones from vertex groups alone", needs_blender=True)
    _file_arguments(one, "target")
    option_arguments(one, WeightOptions, ("groups", "pattern"))
    output_argument(one, "OUT.blend")


def _file_arguments(parser: argparse.ArgumentParser, *objects: str) -> None:
    """The .blend file, and which of its objects are source and target."""
    parser.add_argument("file", type=Path, metavar="FILE.blend")
    for name in objects:
        parser.add_argument(f"--{name}", required=True, metavar="OBJECT")


def _transfer(arguments: argparse.Namespace) -> Answer:
    from .. import workflow

    source, target = _ends(arguments)
    chosen = _with_objects(arguments)
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
    return _saved(arguments, drive(workflow.build_armature(blend.find_object(arguments.target), options(arguments))))


def _ends(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Open the file; its objects that are source and target."""
    from ..scene import blend

    blend.open_file(arguments.file)
    return blend.find_object(arguments.source), blend.find_object(arguments.target)


def _with_objects(arguments: argparse.Namespace) -> Options:
    """The options, with objects of the open file in the place of their names."""
    from ..scene import blend

    chosen = options(arguments)
    if isinstance(through := chosen.match.through, str):
        chosen = chosen.changed(through=blend.find_object(through))
    if isinstance(also := chosen.rig.also, str):
        chosen = chosen.changed(also=tuple(blend.find_object(name) for name in names(also)))
    return chosen


def _saved(arguments: argparse.Namespace, report: Report) -> Answer:
    """Save the open file with what a job has done to it."""
    from ..scene import blend

    blend.save_file(arguments.output)
    return told(report, "Saved as", arguments.output)
