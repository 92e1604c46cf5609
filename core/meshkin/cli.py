"""The command line: ``meshkin …`` in a shell, ``blender --command meshkin …`` in a Blender that has the add-on.

Results go to standard output, progress and everything that libraries print to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import errno
import importlib.util
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import __version__, doctor
from .errors import Cancelled, InputError, MeshKinError, WorkerError
from .progress import Progress, finish
from .sides import parse_table
from .storage import make_folder, readable_failure, write_file
from .worker import environment

RESULT_FILE = "MESHKIN_RESULT_FILE"
"""Environment variable: where a Blender that was started for a command leaves what is to be printed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, or the error's ``exit_code``)."""
    arguments = _parser().parse_args(argv)
    try:
        with _interruptible():
            if getattr(arguments, "output", None):
                _check_writable(arguments.output)
            if getattr(arguments, "folder", None):
                _check_writable(arguments.folder / "map.npz")
            if arguments.needs_blender and importlib.util.find_spec("bpy") is None:
                return _in_blender(list(sys.argv[1:] if argv is None else argv))
            with _clean_output():
                lines, data = arguments.run(arguments)
        _print(json.dumps({"ok": True, **data}) if arguments.json else "\n".join(lines))
        return 0 if data.get("ok", True) else 1
    except KeyboardInterrupt:
        error: MeshKinError = Cancelled()
    except MeshKinError as raised:
        error = raised
    except Exception as raised:
        traceback.print_exc()
        error = MeshKinError("unexpected", f"{type(raised).__name__}: {raised}.", "Please report this.")
    _print(json.dumps({"ok": False, "error": error.to_dict()}) if arguments.json else "")
    print(f"meshkin: {error}", file=sys.stderr)
    return error.exit_code


def entry() -> NoReturn:
    """The ``meshkin`` program. Leaves without Python's shutdown, in which some Blender modules hang."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal's encoding does not have
    code = main()
    if "meshkin.worker.client" in sys.modules:
        from .worker import client

        client.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


# Commands: each returns the lines to print and the same as JSON values --------------------------------------------

Answer = tuple[list[str], dict[str, Any]]


def _features(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import files

    report = _drive(workflow.features([files.load(arguments.mesh)], _options(arguments)))
    _copy(Path(report.data["features"][0]), arguments.output)
    return [*report.lines(), f"Written to {arguments.output}."], {"output": str(arguments.output), **_told(report)}


PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""Endings of files that are photographs."""


def _texture_photo(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import blend

    blend.open_file(arguments.file)
    target = blend.find(arguments.target)
    report = _drive(workflow.texture_photo(arguments.photo, target, _options(arguments), arguments.photo_mask))
    blend.save_file(arguments.output)
    return [*report.lines(), f"Saved as {arguments.output}."], {"output": str(arguments.output), **_told(report)}


def _pictures(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import files

    with tempfile.TemporaryDirectory() as folder:
        kept = arguments.pictures or folder
        obj = files.load(arguments.mesh)
        report = _drive(workflow.pictures([obj], dataclasses.replace(_options(arguments), pictures=kept)))
        _copy(Path(kept) / f"{obj.name} views.png", arguments.output)
    lines = [report.details[0], f"Written to {arguments.output}."]
    return lines, {"output": str(arguments.output), **_told(report)}


def _match(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import files

    if arguments.source.lower().endswith(PHOTOS):
        target = files.load(arguments.target)
        report = _drive(workflow.match_photo(arguments.source, target, _options(arguments), arguments.photo_mask))
        _copy(Path(report.data["map"]), arguments.output)
        return [*report.lines(), f"Written to {arguments.output}."], {"output": str(arguments.output), **_told(report)}
    source, target = files.load(arguments.source), files.load(arguments.target)
    report = _drive(workflow.match(source, target, _options(arguments)))
    _copy(Path(report.data["map"]), arguments.output)
    return [*report.lines(), f"Written to {arguments.output}."], {"output": str(arguments.output), **_told(report)}


def _match_set(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import files

    names = [arguments.reference, *arguments.mesh]
    reference, *others = objects = [files.load(name) for name in names]
    options = dataclasses.replace(_options(arguments), through=reference)
    report = _drive(workflow.match_set(others, reference, options))
    written = {}
    for one, two in itertools.combinations(range(len(objects)), 2):
        made = _drive(workflow.match(objects[one], objects[two], options))
        name = re.sub(r'[<>:"/\\|?*]', "_", f"{objects[one].name}-{objects[two].name}.npz")
        path = arguments.folder / name
        _copy(Path(made.data["map"]), path)
        written[str(path)] = [names[one], names[two]]
    lines = [f"{path}: from {one} to {two}." for path, (one, two) in written.items()]
    return [*report.lines(), *lines], {"maps": written, "title": report.title, "details": report.details}


def _transfer(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import blend

    blend.open_file(arguments.file)
    source, target = blend.find(arguments.source), blend.find(arguments.target)
    what = [name.strip() for name in arguments.what.split(",") if name.strip()]
    options = _options(arguments)
    if arguments.through:
        options = dataclasses.replace(options, through=blend.find(arguments.through))
    if arguments.also:
        also = tuple(blend.find(name.strip()) for name in arguments.also.split(",") if name.strip())
        options = dataclasses.replace(options, also=also)
    report = _drive(workflow.transfer(source, target, what, options))
    blend.save_file(arguments.output)
    return [*report.lines(), f"Saved as {arguments.output}."], {"output": str(arguments.output), **_told(report)}


def _pose(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import blend

    blend.open_file(arguments.file)
    source, target = blend.find(arguments.source), blend.find(arguments.target)
    options = _options(arguments)
    if arguments.through:
        options = dataclasses.replace(options, through=blend.find(arguments.through))
    return _saved(arguments, _drive(workflow.pose(source, target, options)))


def _motion(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import blend

    blend.open_file(arguments.file)
    return _saved(arguments, _drive(workflow.motion(blend.find(arguments.source), blend.find(arguments.target))))


def _build_armature(arguments: argparse.Namespace) -> Answer:
    from . import workflow
    from .scene import blend

    blend.open_file(arguments.file)
    options = workflow.Options(groups=arguments.groups, pattern=arguments.pattern)
    return _saved(arguments, _drive(workflow.build_armature(blend.find(arguments.target), options)))


def _saved(arguments: argparse.Namespace, report: Any) -> Answer:
    """Save the open file with what a job has done to it."""
    from .scene import blend

    blend.save_file(arguments.output)
    return [*report.lines(), f"Saved as {arguments.output}."], {"output": str(arguments.output), **_told(report)}


def _doctor(arguments: argparse.Namespace) -> Answer:
    checks = _drive(doctor.examine())
    lines = []
    for check in checks:
        lines.append(f"{'ok     ' if check.ok else 'MISSING'} {check.name}: {check.found}")
        if check.fix:
            lines.append(f"        mend it: {check.fix}")
    data = doctor.as_data(checks)
    return lines, data


def _models_get(arguments: argparse.Namespace) -> Answer:
    result = _job("models-get", {"name": arguments.name})
    return [f"{folder} is ready." for folder in result["models"]], result


def _models_list(arguments: argparse.Namespace) -> Answer:
    result = _job("models-list", {})
    return [f"{one['name']}: {one['licence']}, {_state(one)}" for one in result["models"]], result


def _state(model: dict[str, Any]) -> str:
    if not model["present"]:
        return "not fetched"
    if not model["ok"]:
        return f"damaged: {model['problem']} {model['fix']}"
    return f"{model['bytes'] / 1e6:.0f} MB, SHA-256 {model['sha256']}"


def _cache_info(arguments: argparse.Namespace) -> Answer:
    result = _job("cache-info", {})
    return [f"{result['folder']}: {result['files']} files, {result['bytes'] / 1e6:.0f} MB"], result


def _cache_clear(arguments: argparse.Namespace) -> Answer:
    result = _job("cache-clear", {})
    return [f"Freed {result['bytes'] / 1e6:.0f} MB in {result['folder']}."], result


def _worker_setup(arguments: argparse.Namespace) -> Answer:
    requirements = environment.worker_requirements()
    python = _drive(environment.create(environment.worker_folder(), requirements, arguments.python))
    return [f"The worker is ready: {python}"], {"python": str(python)}


# Arguments -------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("meshkin", description="Semantic matching and transfer between meshes.")
    parser.add_argument("--version", action="version", version=f"meshkin {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    mesh = "a mesh file (.obj .ply .stl .off .glb .gltf .fbx .usd) or FILE.blend:OBJECT"

    one = _command(commands, "features", _features, "features of every vertex of a mesh", needs_blender=True)
    one.add_argument("mesh", help=mesh)
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="F.safetensors")

    one = _command(commands, "texture-photo", _texture_photo, "a photo as an object's texture", needs_blender=True)
    one.add_argument("photo", help=f"a picture ({' '.join(PHOTOS)})")
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument("--photo-mask", default="", metavar="IMAGE", help="white where the photo shows the object")
    one.add_argument("--texture-size", type=int, default=2048)
    one.add_argument("--margin", type=int, default=8, help="pixels around each island")
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="OUT.blend")

    one = _command(commands, "pictures", _pictures, "what the models see of a mesh", needs_blender=True)
    one.add_argument("mesh", help=mesh)
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="SHEET.png")

    one = _command(commands, "match", _match, "the map between two meshes, or a photo and a mesh", needs_blender=True)
    one.add_argument("source", help=f"{mesh}, or a photo ({' '.join(PHOTOS)})")
    one.add_argument("target", help=mesh)
    _guidance_arguments(one)
    one.add_argument("--photo-mask", default="", metavar="IMAGE", help="white where the photo shows the object")
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="MAP.npz")

    one = _command(
        commands, "match-set", _match_set, "maps between any two of several meshes, all consistent", needs_blender=True
    )
    one.add_argument("reference", help=f"the mesh that all are matched to: {mesh}")
    one.add_argument("mesh", nargs="+", help="the others")
    _feature_arguments(one)
    one.add_argument(
        "--output", type=Path, required=True, dest="folder", metavar="FOLDER", help="for ONE-OTHER.npz of each two"
    )

    one = _command(commands, "transfer", _transfer, "carry things between two objects of a file", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument(
        "--what",
        default="texture,weights,attributes",
        help="any of texture, weights, attributes, materials, uvs, shape_keys, detail, hair, armature",
    )
    one.add_argument("--texture-size", type=int, default=2048)
    one.add_argument("--margin", type=int, default=8, help="pixels around each island")
    one.add_argument(
        "--channels", type=_names, default=(), metavar="NAME,…",
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
        "--way", default="auto", choices=("auto", "map", "features"), help="weights by the map, or learnt from features"
    )
    one.add_argument("--groups", default="deform", choices=("deform", "all", "selected", "active"))
    one.add_argument("--pattern", default="", help="only vertex groups whose names fit, as in 'DEF-*'")
    one.add_argument("--rename", default="", metavar="OLD=NEW,…", help="groups called otherwise on the target")
    one.add_argument(
        "--also", default="", metavar="OBJECT,…", help="meshes that lie on the target: they get weights and rig with it"
    )
    one.add_argument("--mix", type=float, default=1.0, help="how much of the new weights is taken, 0 to 1")
    one.add_argument("--mask", default="", metavar="GROUP", help="the target's vertex group that limits the transfer")
    one.add_argument("--through", default="", metavar="OBJECT", help="match by way of this reference of a set")
    _guidance_arguments(one)
    one.add_argument("--smoothing", type=int, default=0, help="how often weights are averaged with their neighbours'")
    one.add_argument("--threshold", type=float, default=0.4, help="confidence below which weights are inpainted")
    one.add_argument(
        "--nearness", default="auto", choices=("auto", "always", "never"), help="weights from the nearest point"
    )
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="OUT.blend")

    one = _command(commands, "pose", _pose, "one object into another's pose, as a shape key", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument("--through", default="", metavar="OBJECT", help="match by way of this reference of a set")
    one.add_argument("--threshold", type=float, default=0.4, help="confidence from which the match is relied on")
    _guidance_arguments(one)
    _feature_arguments(one)
    one.add_argument("--output", type=Path, required=True, metavar="OUT.blend")

    one = _command(commands, "motion", _motion, "one armature's action, played by another", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--source", required=True, metavar="OBJECT", help="an armature, or what it poses")
    one.add_argument("--target", required=True, metavar="OBJECT", help="another with bones of the same names")
    one.add_argument("--output", type=Path, required=True, metavar="OUT.blend")

    one = _command(commands, "build-armature", _build_armature, "bones from vertex groups alone", needs_blender=True)
    one.add_argument("file", type=Path, metavar="FILE.blend")
    one.add_argument("--target", required=True, metavar="OBJECT")
    one.add_argument("--groups", default="deform", choices=("deform", "all", "active"))
    one.add_argument("--pattern", default="", help="only vertex groups whose names fit, as in 'DEF-*'")
    one.add_argument("--output", type=Path, required=True, metavar="OUT.blend")

    _command(commands, "doctor", _doctor, "what is there, what is missing, what mends it")

    group = commands.add_parser("models", help="the models that extractors use").add_subparsers(
        dest="what", required=True
    )
    one = _command(group, "get", _models_get, "fetch a model")
    one.add_argument("name", nargs="?", default="embedded")
    _command(group, "list", _models_list, "the models known, their licences and checksums")

    group = commands.add_parser("cache", help="computed features and maps").add_subparsers(dest="what", required=True)
    _command(group, "info", _cache_info, "how much is kept, and where")
    _command(group, "clear", _cache_clear, "delete all that is kept")

    group = commands.add_parser("worker", help="the worker's environment").add_subparsers(dest="what", required=True)
    one = _command(group, "setup", _worker_setup, "make the Python environment that does the computing")
    one.add_argument("--python", type=Path, help="the Python 3.11 or newer to make it from; default: this one")
    return parser


def _command(commands: Any, name: str, run: Any, text: str, needs_blender: bool = False) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run, needs_blender=needs_blender)
    return parser


def _guidance_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="point pairs, as JSON or as rows: vertex numbers or coordinates, source first; default: the empties "
        "“Kin …” of .blend files",
    )
    parser.add_argument("--flip", action="store_true", help="take the mirrored answer: left to right")


def _feature_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--features", default="auto", metavar="NAME", help="extractor, or several joined by +")
    parser.add_argument("--model", default="", help="folder or hub id of the first extractor's model")
    parser.add_argument("--layers", default="", help="blocks of that model to read, as in 9,11")
    parser.add_argument("--views", type=int, default=0, help="number of evenly spread views")
    parser.add_argument("--rings", default="", help="rings of views instead: ELEVATION:COUNT,… in degrees")
    parser.add_argument("--without", default="", metavar="VIEWS", help="numbers of views to leave out, as in 3,7")
    parser.add_argument("--resolution", type=int, default=0, help="of the rendered views, pixels")
    parser.add_argument("--style", default="", choices=("", "normal", "shading", "textured"), help="of those pictures")
    parser.add_argument("--background", type=float, default=-1.0, help="grey level behind the object, 0 to 1")
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


def _options(arguments: argparse.Namespace) -> Any:
    from .workflow import Options

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
    names = (
        "texture_size",
        "margin",
        "limit",
        "smoothing",
        "threshold",
        "way",
        "nearness",
        "groups",
        "pattern",
        "mix",
        "mask",
        *("channels", "texture_threshold", "map_smoothing", "unwrap", "tiles", "texture_folder"),
    )
    transfers = {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}
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
        **transfers,
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _guidance(arguments: argparse.Namespace) -> dict[str, Any]:
    from . import point_pairs

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


# Running ---------------------------------------------------------------------------------------------------------


def _drive(job: Any) -> Any:
    """Run a job to its end, its progress on standard error."""
    bar = sys.stderr.isatty()
    stage = ""

    def show(progress: Progress) -> None:
        nonlocal stage
        if bar:
            done = round(progress.fraction * 30)
            print(f"\r\033[K{progress.stage} [{'#' * done}{'.' * (30 - done)}]", end="", file=sys.stderr, flush=True)
        elif progress.stage != stage:
            print(f"{progress.stage} …", file=sys.stderr, flush=True)
        stage = progress.stage

    try:
        return finish(job, show)
    finally:
        if bar and stage:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _job(kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    from .worker import client

    result: dict[str, Any] = _drive(client.shared().run(kind, arguments))
    return result


def _told(report: Any) -> dict[str, Any]:
    return {"title": report.title, "details": report.details, **report.data}


def _copy(made: Path, output: Path) -> None:
    write_file(output, lambda path: shutil.copyfile(made, path))


def _check_writable(output: Path) -> None:
    """Raise StorageError before the work is done rather than after."""
    make_folder(output.parent)
    with readable_failure(output, "writing"):
        if output.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        with tempfile.TemporaryFile(dir=output.parent):
            pass


_BOOTSTRAP = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
folder = {folder!r}
spec = spec_from_file_location("meshkin", folder + "/__init__.py", submodule_search_locations=[folder])
sys.modules["meshkin"] = module = module_from_spec(spec)
spec.loader.exec_module(module)
from meshkin import cli
sys.exit(cli.main({argv!r}))
"""
"""Gives a Blender this very package, and none of the libraries beside it: they are for another Python."""


def _in_blender(argv: list[str]) -> int:
    """Run a command in a Blender started for it; raises WorkerError ``blender-missing`` or ``blender-failed``."""
    program = doctor.find_blender()
    if program is None:
        raise WorkerError(
            "blender-missing",
            "This command needs Blender, and none was found.",
            "Put Blender on the path, set MESHKIN_BLENDER, or pip install bpy into this Python.",
        )
    code = _BOOTSTRAP.format(folder=str(Path(__file__).resolve().parent), argv=argv)
    with tempfile.TemporaryDirectory(prefix="meshkin-") as folder:
        result = Path(folder) / "result"
        variables = {**os.environ, RESULT_FILE: str(result)}
        if worker := environment.find():  # which may be this Python: there it would not be found
            variables["MESHKIN_WORKER_PYTHON"] = str(worker)
        command = [program, "--background", "--factory-startup", "--python-expr", code]
        try:
            status = _status(command, variables)
        except OSError as error:
            raise WorkerError(
                "blender-failed", f"{program} cannot be started: {error.strerror}.", "Set MESHKIN_BLENDER to Blender."
            ) from error
        if not result.exists():
            raise WorkerError(
                "blender-failed",
                f"Blender ended with status {status} before the command was done.",
                "See above for what it said.",
            )
        print(result.read_text(encoding="utf-8"), end="", flush=True)
    return status


def _status(command: list[str], variables: dict[str, str]) -> int:
    """Run a program to its end; after Ctrl-C, which a terminal sends to it too, it has some seconds to tidy up."""
    with subprocess.Popen(command, stdout=sys.stderr, env=variables) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            if process.poll() is None and sys.platform != "win32":
                process.send_signal(signal.SIGINT)  # it came from a program, to this process alone
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
            process.kill()
            raise


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt Python also where Blender has put a handler of its own, which it does without a window."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not None:  # else Blender's, which Python cannot give back
            signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _clean_output() -> Iterator[None]:
    """Send what Blender and libraries print on standard output to standard error, also from C."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _print(text: str) -> None:
    if text:
        text += "\n"
    if result := os.environ.get(RESULT_FILE):
        Path(result).write_text(text, encoding="utf-8")
    else:
        print(text, end="", flush=True)
