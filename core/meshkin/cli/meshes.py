"""Commands on mesh files and photographs: features, pictures, match, match-set."""

from __future__ import annotations

import argparse
import itertools
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base.storage import write_file
from ..features.options import FeatureOptions
from ..matching.options import MatchOptions
from ..worker.options import WorkerOptions
from .arguments import (
    MESH,
    PHOTOS,
    Answer,
    command,
    mask_argument,
    option_arguments,
    options,
    output_argument,
    told,
)
from .console import drive

if TYPE_CHECKING:
    from ..workflow import Report


def add(commands: Any) -> None:
    """Add the commands to a parser's."""
    one = command(commands, "features", _features, "features of every vertex of a mesh", needs_blender=True)
    one.add_argument("mesh", help=MESH)
    _feature_arguments(one)
    output_argument(one, "F.safetensors")

    one = command(commands, "pictures", _pictures, "what the models see of a mesh", needs_blender=True)
    one.add_argument("mesh", help=MESH)
    _feature_arguments(one)
    output_argument(one, "SHEET.png")

    one = command(commands, "match", _match, "the map between two meshes, or a photo and a mesh", needs_blender=True)
    one.add_argument("source", help=f"{MESH}, or a photo ({' '.join(PHOTOS)})")
    one.add_argument("target", help=MESH)
    option_arguments(one, MatchOptions, ("pairs", "flip"))
    mask_argument(one)
    _feature_arguments(one)
    output_argument(one, "MAP.npz")

    one = command(
        commands, "match-set", _match_set, "maps between any two of several meshes, all consistent", needs_blender=True
    )
    one.add_argument("reference", help=f"the mesh that all are matched to: {MESH}")
    one.add_argument("mesh", nargs="+", help="the others")
    _feature_arguments(one)
    one.add_argument(
        "--output", type=Path, required=True, dest="folder", metavar="FOLDER", help="for ONE-OTHER.npz of each two"
    )


def _feature_arguments(parser: argparse.ArgumentParser) -> None:
    option_arguments(parser, FeatureOptions)
    option_arguments(parser, WorkerOptions)


def _features(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import files

    report = drive(workflow.features([files.load(arguments.mesh)], options(arguments)))
    return _written(arguments, report, report.data["features"][0])


def _pictures(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import files

    with tempfile.TemporaryDirectory() as folder:
        chosen = options(arguments)
        kept = chosen.features.pictures or folder
        obj = files.load(arguments.mesh)
        report = drive(workflow.pictures([obj], chosen.changed(pictures=kept)))
        lines, data = _written(arguments, report, Path(kept) / f"{obj.name} views.png")
    counts = {name: data[name][obj.name] for name in ("views", "used", "painted")}  # of the one mesh that there is
    return [report.details[0], lines[-1]], {**data, **counts}


def _match(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import files

    if arguments.source.lower().endswith(PHOTOS):
        target = files.load(arguments.target)
        report = drive(workflow.match_photo(arguments.source, target, options(arguments), arguments.photo_mask))
    else:
        source, target = files.load(arguments.source), files.load(arguments.target)
        report = drive(workflow.match(source, target, options(arguments)))
    return _written(arguments, report, report.data["map"])


def _match_set(arguments: argparse.Namespace) -> Answer:
    from .. import workflow
    from ..scene import files

    names = [arguments.reference, *arguments.mesh]
    reference, *others = objects = [files.load(name) for name in names]
    chosen = options(arguments).changed(through=reference)
    report = drive(workflow.match_set(others, reference, chosen))
    written = {}
    for one, two in itertools.combinations(range(len(objects)), 2):
        made = drive(workflow.match(objects[one], objects[two], chosen))
        name = re.sub(r'[<>:"/\\|?*]', "_", f"{objects[one].name}-{objects[two].name}.npz")
        path = arguments.folder / name
        _copy(Path(made.data["map"]), path)
        written[str(path)] = [names[one], names[two]]
    lines = [f"{path}: from {one} to {two}." for path, (one, two) in written.items()]
    return [*report.lines(), *lines], {"maps": written, "title": report.title, "details": report.details}


def _written(arguments: argparse.Namespace, report: Report, made: str | Path) -> Answer:
    """Copy the file that a job has made to where it is wanted."""
    _copy(Path(made), arguments.output)
    return told(report, "Written to", arguments.output)


def _copy(made: Path, output: Path) -> None:
    write_file(output, lambda path: shutil.copyfile(made, path))
