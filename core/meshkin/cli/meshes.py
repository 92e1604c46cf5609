"""Commands on mesh files and photos: features, pictures, match, match-set."""

from __future__ import annotations

import argparse
import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.storage import file_name, write_file
from ..base.temporary import temporary_folder
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
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
    warning_data,
)
from .console import drive

if TYPE_CHECKING:
    from ..workflow import Report


def add(commands: Any) -> None:
    """Add this module's commands to the parser."""
    parser = command(commands, "features", _features, "compute features of every vertex of a mesh", needs_blender=True)
    parser.add_argument("mesh", help=MESH)
    parser.add_argument(
        "--character", action="store_true", help="of OBJECT's whole character, as transfers take it, not of it alone"
    )
    _feature_arguments(parser)
    output_argument(parser, "F.safetensors")

    _add_learn_head(commands)
    parser = command(
        commands, "pictures", _pictures, "show the pictures that the models see of a mesh", needs_blender=True
    )
    parser.add_argument("mesh", help=MESH)
    _feature_arguments(parser)
    output_argument(parser, "SHEET.png")

    parser = command(commands, "thumbnail", _thumbnail, "write a small picture of a mesh", needs_blender=True)
    parser.add_argument("mesh", help=f"{MESH}, where OBJECT stands for a character")
    parser.add_argument("--places", action="store_true", help="in colors that tell places apart, not in its own")
    parser.add_argument("--source", metavar="MESH", help="in the colors of places of this mesh, through --map")
    parser.add_argument("--map", type=Path, metavar="MAP.npz", help="what match has written for --source and this mesh")
    output_argument(parser, "SMALL.png")

    parser = command(commands, "match", _match, "match two meshes, or a photo and a mesh", needs_blender=True)
    parser.add_argument("source", help=f"{MESH}, or a photo ({' '.join(PHOTOS)})")
    parser.add_argument("target", help=MESH)
    option_arguments(parser, MatchOptions, ("pairs", "flip", "joints"))
    mask_argument(parser)
    _feature_arguments(parser)
    strict_argument(parser)
    output_argument(parser, "MAP.npz")

    parser = command(
        commands, "match-set", _match_set, "match several meshes so that all maps agree", needs_blender=True
    )
    parser.add_argument("reference", help=f"the mesh that all others are matched to: {MESH}")
    parser.add_argument("mesh", nargs="+", help="the other meshes")
    _feature_arguments(parser)
    strict_argument(parser)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        dest="folder",
        metavar="FOLDER",
        help="gets a file SOURCE-TARGET.npz for each pair of meshes",
    )


def _add_learn_head(commands: Any) -> None:
    parser = command(
        commands,
        "learn-head",
        _learn_head,
        "“meshkin features learn-head”: learn from renders of meshes what tells their parts apart",
        needs_blender=True,
    )
    parser.add_argument("mesh", nargs="+", help=f"meshes, best of one kind: {MESH}")
    parser.add_argument("--name", required=True, help="what to call the head")
    parser.add_argument("--steps", type=int, default=argparse.SUPPRESS, help="of the learning; default: 1500")
    parser.add_argument("--replace", action="store_true", help="in place of one of this name")
    option_arguments(parser, FeatureOptions, ("model", "layers", "resolution", "render_path"))
    option_arguments(parser, WorkerOptions)


def _feature_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of all commands that compute features."""
    option_arguments(parser, FeatureOptions)
    option_arguments(parser, WorkerOptions)


def _loaded(*specs: str) -> list[Any]:
    """The objects of mesh files, alone in the scene: what Blender's first file has stands where they are."""
    from ..scene import blend, files

    blend.remove_objects()
    return [files.load(spec) for spec in specs]


def _character(spec: str) -> Any:
    """What FILE.blend:OBJECT stands for in that file, which is opened; the object of any other mesh file."""
    from ..scene import blend, files

    if not (found := files.blend_object(spec)):
        return _loaded(spec)[0]
    blend.open_file(found[0])
    return blend.find_picked(found[1])


def _features(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    picked = _character(arguments.mesh) if arguments.character else _loaded(arguments.mesh)[0]
    report = drive(workflow.features([picked], options(arguments)))
    return _copied_result(arguments, report, report.data["features"][0])


def _learn_head(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..scene import files

    objects = [files.load(name) for name in arguments.mesh]
    steps = getattr(arguments, "steps", workflow.HEAD_STEPS)
    report = drive(workflow.learn_head(objects, arguments.name, options(arguments), steps, arguments.replace))
    data = {"title": report.title, "details": report.details, **report.data, **warning_data(report)}
    return [report.summary(), *report.details], data


def _pictures(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow
    from ..workflow import contact_sheets

    with temporary_folder() as folder:
        job_options = options(arguments)
        picture_folder = job_options.features.pictures or folder
        (obj,) = _loaded(arguments.mesh)
        report = drive(workflow.pictures([obj], job_options.changed(pictures=picture_folder)))
        lines, data = _copied_result(arguments, report, contact_sheets.sheet_file(Path(picture_folder), obj.name))
    counts = {name: data[name][obj.name] for name in ("views", "used", "painted")}
    return [report.details[0], lines[-1]], {**data, **counts}


def _thumbnail(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    if arguments.source and arguments.map:
        source, target = _loaded(arguments.source, arguments.mesh)
        job = workflow.matched_thumbnail(source, target, arguments.map, arguments.output)
    else:
        job = workflow.thumbnail(_character(arguments.mesh), arguments.output, arguments.places)
    return result_with_file(drive(job), "Written to", arguments.output)


def _match(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    if arguments.source.lower().endswith(PHOTOS):
        (target,) = _loaded(arguments.target)
        report = drive(workflow.match_photo(arguments.source, target, options(arguments), arguments.photo_mask))
    else:
        source, target = _loaded(arguments.source, arguments.target)
        report = drive(workflow.match(source, target, options(arguments)))
    return _copied_result(arguments, report, report.data["map"])


def _match_set(arguments: argparse.Namespace) -> CommandResult:
    from .. import workflow

    names = [arguments.reference, *arguments.mesh]
    reference, *others = objects = _loaded(*names)
    set_options = options(arguments).changed(through=reference)
    report = drive(workflow.match_set(others, reference, set_options))
    maps: dict[str, list[str]] = {}
    for (source_name, source), (target_name, target) in itertools.combinations(zip(names, objects, strict=True), 2):
        match_report = drive(workflow.match(source, target, set_options))
        path = _free_path(arguments.folder, file_name(f"{source.name}-{target.name}"), maps)
        _copy(Path(match_report.data["map"]), path)
        maps[str(path)] = [source_name, target_name]
    lines = [f"{path}: from {source_name} to {target_name}." for path, (source_name, target_name) in maps.items()]
    data = {"maps": maps, "title": report.title, "details": report.details}
    return [report.summary(), *report.details, *lines], {**data, **warning_data(report)}


def _free_path(folder: Path, stem: str, taken: Iterable[str]) -> Path:
    """A path for an .npz file that is none of those taken, also where systems ignore case."""
    lower, path, number = {each.lower() for each in taken}, folder / f"{stem}.npz", 1
    while str(path).lower() in lower:
        number += 1
        path = folder / f"{stem}-{number}.npz"
    return path


def _copied_result(arguments: argparse.Namespace, report: Report, job_file: str | Path) -> CommandResult:
    """Copy the file that a job has written to the command's output; returns the command's result."""
    _copy(Path(job_file), arguments.output)
    return result_with_file(report, "Written to", arguments.output)


def _copy(file: Path, output: Path) -> None:
    write_file(output, lambda path: shutil.copyfile(file, path))
