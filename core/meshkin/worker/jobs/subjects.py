"""Jobs about subjects that are learned from photographs."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ...base.progress import ProgressCallback
from ..requests.subjects import LearnSubject, LearnSubjectResult
from . import diffusion

if TYPE_CHECKING:
    import torch


def learn_subject(request: LearnSubject, report: ProgressCallback) -> LearnSubjectResult:
    """Learn a subject from pictures, and write it to a file."""
    from ...cache import store as cache
    from ...features import photo
    from ...features.diffusion import stable_diffusion
    from ...models import devices
    from ...models.known import STABLE_DIFFUSION
    from ...paint import duration, subjects
    from ...paint.subject_learning import SubjectLesson, TaughtDiffusion, framed, teach
    from ...pictures.learning import files

    lesson = SubjectLesson(request.name, request.steps, request.size, request.own, request.seed)
    pictures: list[tuple[torch.Tensor, torch.Tensor]] = []
    for file in request.pictures:
        pixels, mask = photo.load(file)
        if request.mask and not pictures:
            mask = photo.load_mask(request.mask, pixels.shape[:2])
        if mask is not None:
            photo.check_mask(mask, f"The mask of {file}")
        pictures.append(framed(pixels, mask, request.size))
    asked = {"base": request.model} if request.model else {}
    base = diffusion.find_networks({"base": STABLE_DIFFUSION}, asked, request.online, report)["base"]
    device = devices.choose(request.device)
    if device.type == "cpu" and not request.slow:
        seconds = duration.seconds_of_looks(duration.learning_looks(lesson), request.size, device)
        diffusion.refuse_slow(seconds, "--paint-slow", "take fewer steps and smaller pictures")
    report("Loading Stable Diffusion", 0)
    stable_diffusion.load.cache_clear()  # the memory has room for one
    digest = hashlib.blake2b(f"{asdict(lesson)} {base.checksum} {device}".encode(), digest_size=16)
    for picture in pictures:
        for part in picture:
            digest.update(part.numpy().tobytes())
    notes = cache.partial_folder(digest.hexdigest()) / "subject.pt"
    networks = TaughtDiffusion(Path(base.folder), request.seed, request.device)
    learning = teach(networks, pictures, lesson, notes, report)
    record = subjects.SubjectRecord(
        request.name, base.name, base.checksum, request.size, request.steps, learning.summary
    )
    files.write(request.output, networks.tensors(), record)
    notes.unlink(missing_ok=True)
    return LearnSubjectResult(request.output, base.name, record.losses)
