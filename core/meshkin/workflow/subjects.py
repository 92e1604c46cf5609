"""Subjects that are learned from photographs, for textures that show them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from ..base.errors import InputError, OptionError
from ..base.progress import in_step
from ..base.storage import file_name, home
from ..worker import client
from ..worker.requests.subjects import LearnSubject
from .options import Options, Report, Steps
from .photo_matching import check_photo
from .whole_job import whole_job

SUBJECT_LEARNING = "learn the subject"
"""The step of this job."""
SUBJECT_SECONDS = 300.0
"""About how long it takes on a graphics card: width on the progress bar. Source: what others tell of such learning."""
SIZE_STEP = 64
"""Pixels: Stable Diffusion takes pictures of multiples of it. Source: its UNet halves latents three times."""


def learn_subject(
    photo: str | Path, output: str | Path, options: Options = Options(), mask: str = "", more: Sequence[str | Path] = ()
) -> Steps:
    """Learn a thing from a photograph into a file, with which it can be painted (``options.paint.subject``).

    A job that was stopped goes on where it was. The model itself is not changed.

    Args:
        photo: an image file.
        output: a .safetensors file to write; "" for a new one in the folder ``subjects`` of MeshKin's home.
        options: ``subject`` says what is learned, and how; of ``paint`` the models and ``slow`` count.
        mask: an image file, white where the thing is; "" for the photograph's transparency, if it has one.
        more: files of other views of the same thing, with which its kind is learned.

    Raises InputError ``subject-unnamed``, ``output-type``, ``paint-slow`` (no graphics card), ``photo-missing``,
    ``photo-unreadable``, ``mask-empty``, ``mask-differs``; ModelError, OptionError, StorageError.
    """
    chosen = options.subject
    if not chosen.name.strip():
        fix = "Say in one or two common words what the photo shows."
        raise InputError("subject-unnamed", "The subject has no name.", fix)
    file = Path(output).expanduser().absolute() if output else _new_file(chosen.name.strip())
    if file.suffix != ".safetensors":
        raise InputError("output-type", f"{output} is no .safetensors file.", "Name one.")
    if chosen.size % SIZE_STEP:
        fix = f"Choose a multiple of {SIZE_STEP}."
        raise OptionError("option-invalid", f"Pictures of {chosen.size} pixels cannot be learned from.", fix)
    job = in_step(SUBJECT_LEARNING, _learn_subject((photo, *more), file, options, mask))
    return (yield from whole_job(job, {SUBJECT_LEARNING: SUBJECT_SECONDS}))


def _new_file(name: str) -> Path:
    """A file for a subject that is not there yet."""
    folder, title = home() / "subjects", file_name(name)
    endings = itertools.chain([""], (f" {number}" for number in itertools.count(2)))
    return next(file for ending in endings if not (file := folder / f"{title}{ending}.safetensors").exists())


def _learn_subject(pictures: Sequence[str | Path], output: Path, options: Options, mask: str) -> Steps:
    files, mask_file = [], None
    for number, picture in enumerate(pictures):
        file, own_mask = yield from check_photo(picture, mask if number == 0 else "")
        files.append(file)
        mask_file = mask_file or own_mask
    chosen = options.subject
    request = LearnSubject(
        pictures=tuple(files),
        mask=mask_file,
        name=chosen.name.strip(),
        output=output,
        model=str(options.paint.models.get("base", "")),
        steps=chosen.steps,
        size=chosen.size,
        own=chosen.own,
        seed=chosen.seed,
        device=options.worker.device,
        online=options.worker.online,
        slow=options.paint.slow,
    )
    result = yield from client.shared().run(request)
    losses = [f"{value:.3g}" for value in result.losses]
    details = [
        f"It is for {result.base}. Paint with it: its file is the Subject.",
        f"Mean loss, at the beginning and at the end of what it is: {', '.join(losses[:2])}; "
        f"of how it looks: {', '.join(losses[2:])}.",
    ]
    data = {"output": str(result.output), "base": result.base, "losses": list(result.losses)}
    return Report(f"The subject “{request.name}” is learned.", details, data)
