"""Commands on objects of a .blend file: transfer, update, texture-photo, pose, parts, motion, fit-video and more.

The changed file is saved under another name.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.options import names
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..parts.options import PartOptions
from ..pictures.options import PictureOptions
from ..transfer.attributes.options import TRANSFERS, AttributeOptions
from ..transfer.rig.options import RigOptions
from ..transfer.texture.options import TextureOptions
from ..transfer.weights.options import WeightOptions
from ..video.options import VideoOptions
from ..worker.options import WorkerOptions
from .arguments import (
    MESH,
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

if TYPE_CHECKING:
    from ..workflow import Options, Report


def add(commands: Any) -> None:
    """Add this module's commands to the parser."""
    _add_transfers(commands)

    parser = command(commands, "texture-photo", _texture_photo, "make a photo an object's texture", needs_blender=True)
    parser.add_argument("photo", help=f"the photo ({' '.join(PHOTOS)})")
    file_arguments(parser, "target")
    option_arguments(parser, MatchOptions, ("flip",))
    mask_argument(parser)
    option_arguments(parser, TextureOptions, ("size", "margin", "unwrap"))
    option_arguments(parser, PictureOptions, ("remove_light", "surface", "model"))
    option_arguments(parser, FeatureOptions)
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    output_argument(parser, "OUT.blend")

    parser = command(commands, "pose", _pose, "bring an object into another's pose, as a shape key", needs_blender=True)
    file_arguments(parser, "source", "target", foreign=True)
    option_arguments(parser, RigOptions, ("threshold",))
    for group in (MatchOptions, FeatureOptions, WorkerOptions):
        option_arguments(parser, group)
    strict_argument(parser)
    output_argument(parser, "OUT.blend")

    parser = command(commands, "parts", _parts, "cut objects into parts, all into the same ones", needs_blender=True)
    what = f"a .blend file, with --objects; or mesh files, the first of which tells what the parts are: {MESH}"
    parser.add_argument("files", nargs="+", metavar="FILE", help=what)
    what = "names of the objects, or of collections, between commas; the first tells what the parts are"
    parser.add_argument("--objects", metavar="OBJECT,…", help=what)
    option_arguments(parser, PartOptions)
    option_arguments(parser, FeatureOptions)
    option_arguments(parser, WorkerOptions)
    output_argument(parser, "OUT.blend|LABELS.npz")

    parser = command(commands, "motion", _motion, "transfer an armature's action to another", needs_blender=True)
    file_arguments(parser)
    parser.add_argument("--source", required=True, metavar="OBJECT", help="an armature, or an object that it poses")
    parser.add_argument(
        "--target",
        required=True,
        metavar="OBJECT",
        help="another armature with bones of the same names, or an object that it poses",
    )
    option_arguments(parser, WeightOptions, ("rename",))
    output_argument(parser, "OUT.blend")

    _add_fit_video(commands)
    parser = command(
        commands, "build-armature", _build_armature, "build an armature from vertex groups alone", needs_blender=True
    )
    file_arguments(parser, "target")
    option_arguments(parser, WeightOptions, ("groups", "pattern"))
    output_argument(parser, "OUT.blend")


def _add_fit_video(commands: Any) -> None:
    """Add the command that makes an action of a video."""
    summary = "let an armature follow a video, as an action"
    parser = command(commands, "fit-video", _fit_video, summary, needs_blender=True)
    file_arguments(parser, "target")
    what = "a movie, a folder of pictures, or one picture of a numbered sequence"
    parser.add_argument("--video", required=True, metavar="VIDEO", help=what)
    what = (
        "the same of masks, white where the character is, or one alone, by which it is cut out of the other frames; "
        "default: the pictures' transparency, or what agrees"
    )
    parser.add_argument("--mask", default="", metavar="MASKS", help=what)
    option_arguments(parser, VideoOptions)
    option_arguments(parser, FeatureOptions)
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    output_argument(parser, "OUT.blend")


def _add_transfers(commands: Any) -> None:
    """Add the commands that transfer, and that do the last transfer again."""
    parser = command(commands, "transfer", _transfer, "transfer textures, weights and more", needs_blender=True)
    file_arguments(parser, "source", "target", foreign=True)
    parser.add_argument(
        "--what",
        help=f"what to transfer, between commas; any of {', '.join(TRANSFERS)}; default: those of "
        "texture,weights,attributes that the source has",
    )
    for group in (TextureOptions, WeightOptions, AttributeOptions, MatchOptions, FeatureOptions, WorkerOptions):
        option_arguments(parser, group)
    option_arguments(parser, RigOptions, ("also",))
    strict_argument(parser)
    output_argument(parser, "OUT.blend")

    summary = "do the last transfer again in place, guided otherwise"
    parser = command(commands, "update", _update, summary, needs_blender=True)
    file_arguments(parser, "source", "target")
    option_arguments(parser, MatchOptions, ("pairs", "flip", "joints"))
    option_arguments(parser, WorkerOptions)
    strict_argument(parser)
    output_argument(parser, "OUT.blend")


def file_arguments(parser: argparse.ArgumentParser, *objects: str, foreign: bool = False) -> None:
    """Add the argument for the .blend file, and one for each of the given objects ("source", "target").

    With ``foreign``, the source may be in another file.
    """
    parser.add_argument("file", type=Path, metavar="FILE.blend", help="the file to open; it is not changed")
    for name in objects:
        what = f"name of the {name}: a mesh, armature, empty or collection of a character; with commas, meshes alone"
        more = "; or OTHER.blend:OBJECT, or a mesh file" if name == "source" and foreign else ""
        parser.add_argument(f"--{name}", required=True, metavar="OBJECT", help=what + more)


def _transfer(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    what = None if arguments.what is None else names(arguments.what)
    with _opened(arguments) as (source, target):
        report = drive(workflow.transfer(source, target, what, _options_with_objects(arguments)))
    return saved_result(arguments, report)


def _update(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    return saved_result(arguments, drive(workflow.update(*_open_source_and_target(arguments), options(arguments))))


def _texture_photo(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    target = blend.find_object(arguments.target)
    job = workflow.texture_photo(arguments.photo, target, options(arguments), arguments.photo_mask)
    return saved_result(arguments, drive(job))


def _pose(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    with _opened(arguments) as (source, target):
        report = drive(workflow.pose(source, target, _options_with_objects(arguments)))
    return saved_result(arguments, report)


def _parts(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend, files
    from ..scene.mesh import part_labels

    if arguments.objects:
        blend.open_file(Path(arguments.files[0]))
        objects = blend.find_meshes(arguments.objects)
    else:
        blend.remove_objects()
        objects = tuple(files.load(spec) for spec in arguments.files)
    report = drive(workflow.parts(objects, options(arguments)))
    if arguments.output.suffix != ".npz":
        return saved_result(arguments, report)
    part_labels.save(objects, arguments.output)
    return result_with_file(report, "Labels written to", arguments.output)


def _motion(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    return saved_result(arguments, drive(workflow.motion(*_open_source_and_target(arguments), options(arguments))))


def _fit_video(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    target = blend.find_picked(arguments.target)
    report = drive(workflow.fit_video(arguments.video, target, options(arguments), arguments.mask))
    return saved_result(arguments, report)


def _build_armature(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import blend

    blend.open_file(arguments.file)
    return saved_result(
        arguments, drive(workflow.build_armature(blend.find_object(arguments.target), options(arguments)))
    )


def _open_source_and_target(arguments: argparse.Namespace) -> tuple[Any, Any]:
    """Open the file and return what source and target name."""
    from ..scene import blend

    blend.open_file(arguments.file)
    return blend.find_picked(arguments.source), blend.find_picked(arguments.target)


@contextlib.contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[tuple[Any, Any]]:
    """Open the file; gives what source and target name. A source of another file is there inside the block."""
    from ..scene import blend, files, guests

    blend.open_file(arguments.file)
    target = blend.find_picked(arguments.target)
    if blend.has(arguments.source) or not files.is_spec(arguments.source):
        yield blend.find_picked(arguments.source), target
        return
    guest = guests.bring(arguments.source)
    yield guest.picked, target
    guests.dismiss(guest)


def _options_with_objects(arguments: argparse.Namespace) -> Options:
    """Return the options, with the names of objects replaced by the objects of the open file."""
    from ..scene import blend

    job_options = options(arguments)
    if isinstance(through := job_options.match.through, str):
        job_options = job_options.changed(through=blend.find_object(through))
    if isinstance(also := job_options.rig.also, str):
        job_options = job_options.changed(also=blend.find_objects(also))
    return job_options


def saved_result(arguments: argparse.Namespace, report: Report) -> CommandResult:
    """Save the open file, which a job has changed, with its report; returns the command's result."""
    from .. import workflow
    from ..scene import blend

    workflow.keep_report(report)
    blend.save_file(arguments.output)
    return result_with_file(report, "Saved as", arguments.output)
