"""Maps of pictures: pairs rendered to learn from, the learning, and what was learned applied to a picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import Progress, in_step
from ..pictures.learning import pairs as pair_files
from ..pictures.learning.options import SMALL, TARGETS
from ..pictures.learning.pairs import PairsRecord, Subject
from ..scene import family_members
from ..scene.characters import Picked
from ..scene.objects import Handle
from ..scene.render import photographs
from ..scene.render.appearance_key import appearance_key
from ..worker import client
from ..worker.requests.picture_learning import ApplyPicture, LearnPicture
from .characters import CharacterSnapshot, listed, read
from .describing import nothing_selected
from .options import Options, Report, ResultWarning, Steps
from .whole_job import whole_job

PAIR_RENDERING, MAP_LEARNING = "render pairs", "learn the map"
"""Steps of these jobs."""
PAIR_SECONDS = 0.4
"""About how long a pair of 64 pixels takes to render on one core: width on the progress bar."""
SMALL_STEP_SECONDS = 0.08
"""About how long a step of the small network takes, likewise."""
USEFUL = 0.5
"""Share of the mean map's error above which what was learned is of little use. Chosen."""
TARGET_NAMES = {choice.value: choice.name.lower() for choice in TARGETS}
"""What is learned, in words."""


def picture_pairs(objects: Iterable[Picked], folder: str | Path, options: Options = Options()) -> Steps:
    """Render pairs to learn from: photographs of objects in random light, and their normals, depth, colors and parts.

    What each object stands for says :func:`meshkin.scene.family_members.shapes`. Nothing in the scene changes. A
    job that was stopped goes on where it was.

    Raises InputError (``nothing-selected``, ``pairs-other``, bad meshes, ``render-unavailable``), MeshKinError
    ``render-refused``, StorageError.
    """
    groups = [[Handle.of(obj) for obj in group] for group in family_members.shapes(objects)]
    if not groups:
        raise nothing_selected()
    costs = {PAIR_RENDERING: PAIR_SECONDS * options.picture_pairs.count}
    return (yield from whole_job(in_step(PAIR_RENDERING, _picture_pairs(groups, Path(folder), options)), costs))


def _picture_pairs(groups: Sequence[Sequence[Handle]], folder: Path, options: Options) -> Steps:
    chosen = options.picture_pairs
    subjects: list[tuple[CharacterSnapshot, Subject, NDArray[np.int32]]] = []
    for group in groups:
        character = yield from read(group, as_shown=True)
        appearance = "".join(appearance_key(obj) for obj in character.objects())
        parts = photographs.part_numbers(character.handles, [piece.snapshot for piece in character.pieces])
        subjects.append((character, Subject(character.name, f"{character.snapshot.key} {appearance}"), parts))
    record = PairsRecord(chosen.size, chosen.count, chosen.seed, tuple(subject for _, subject, _ in subjects))
    missing = pair_files.begin(folder, record)
    for done, number in enumerate(missing):
        yield Progress("Rendering pairs", done / len(missing))
        character, _, parts = subjects[number % len(subjects)]
        random = np.random.default_rng([chosen.seed, number])
        taken = photographs.take(character.handles, character.snapshot, parts, chosen.size, random)
        panels = (taken.picture, *(getattr(taken, choice.value) for choice in TARGETS))
        pair_files.write(folder, number, panels)
    names = listed([subject.name for _, subject, _ in subjects])
    kept = record.count - len(missing)
    details = [f"They show {names}."] + ([f"{kept} of them were there already."] if kept else [])
    data = {"folder": str(folder), "count": record.count, "rendered": len(missing), "size": record.size}
    return Report(f"{record.count} pairs of {record.size} pixels are ready.", details, data)


def learn_picture(pairs: str | Path, output: str | Path, options: Options = Options()) -> Steps:
    """Learn a map of pictures from pairs, and write it to a file: a LoRA, or a small network of its own.

    A picture of each epoch is in the folder ``OUTPUT epochs`` beside it. A job that was stopped goes on where it was.
    ``data["error"]`` is the error of pairs that were not learned from, ``data["mean_error"]`` that of the mean map.

    Raises InputError ``pairs-missing``, ``pairs-damaged``, ``pairs-few``, ``pairs-unfinished``, ``pairs-size``;
    ModelError, WorkerError, StorageError.
    """
    chosen = options.picture_learning
    if Path(output).suffix != ".safetensors":
        raise InputError("output-type", f"{output} is no .safetensors file.", "Name one.")
    request = LearnPicture(
        pairs=Path(pairs).expanduser().absolute(),
        output=Path(output).expanduser().absolute(),
        target=chosen.target,
        model=chosen.model or SMALL,
        steps=chosen.steps,
        batch=chosen.batch,
        seed=chosen.seed,
        device=options.worker.device,
        online=options.worker.online,
    )
    costs = {MAP_LEARNING: SMALL_STEP_SECONDS * chosen.steps}
    return (yield from whole_job(in_step(MAP_LEARNING, _learn_picture(request)), costs))


def _learn_picture(request: LearnPicture) -> Steps:
    result = yield from client.shared().run(request)
    shown, plain = f"{result.error:.3g}{result.unit}", f"{result.mean_error:.3g}{result.unit}"
    details = [
        f"Error of pairs that were not learned from: {shown}; of the mean of all maps: {plain}.",
        f"A picture of each epoch is in {result.epochs}.",
    ]
    data = {
        "output": str(result.output),
        "epochs": str(result.epochs),
        "error": result.error,
        "mean_error": result.mean_error,
        "errors": list(result.errors),
    }
    warnings = []
    if result.error > USEFUL * result.mean_error:
        message = "What was learned is hardly better than the mean of all maps. Learn from more pairs, or longer."
        warnings.append(ResultWarning("picture-unlearned", message))
    title = f"{result.network} has learned {TARGET_NAMES[request.target]}."
    return Report(title, details, data, warnings)


def apply_picture(
    picture: str | Path, learned: str, output: str | Path, model: str = "", options: Options = Options()
) -> Steps:
    """Find the map of a picture with what was learned, and write it as a PNG file.

    Args:
        picture: a file.
        learned: what :func:`learn_picture` wrote, or the name of an imported LoRA.
        output: the file to write.
        model: the Stable Diffusion model that a LoRA is for; "" for the one that it notes.
        options: of the worker.

    Raises InputError ``photo-missing``, ``photo-unreadable``; ModelError, WorkerError, StorageError.
    """
    request = ApplyPicture(
        picture=Path(picture).expanduser().absolute(),
        learned=learned,
        model=model,
        output=Path(output).expanduser().absolute(),
        device=options.worker.device,
        online=options.worker.online,
    )
    result = yield from client.shared().run(request)
    what = TARGET_NAMES.get(result.target, "map")
    return Report(f"The {what} of {Path(picture).name} is in {result.output}.", [], {"output": str(result.output)})
