"""Jobs about families."""

from __future__ import annotations

import hashlib
import json

from ...base.json_data import to_json
from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ..requests.families import ImportModel, ImportModelResult, LearnFamily, LearnFamilyResult


def learn_family(request: LearnFamily, report: ProgressCallback) -> LearnFamilyResult:
    """Learn a family and keep it among the models."""
    from ...cache import store as cache
    from ...families import kept, teaching
    from ...features.recipe import check_base
    from ...models import devices

    described = [cache.read(member.features) for member in request.members]
    base = check_base(described[0].origin.recipe)
    pupils, left_out = teaching.check_members(
        [
            teaching.Pupil(Snapshot.load(member.shape), features.features)
            for member, features in zip(request.members, described, strict=True)
        ]
    )
    settings = teaching.settings_of(request.network, request.steps)
    told = [[pupil.shape.key for pupil in pupils], to_json(base), to_json(settings)]
    key = hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()
    notes = cache.partial_folder(key) / "family.pt"
    lesson = teaching.Lesson(request.name, base, settings, notes, str(devices.choose(request.device)))
    family = teaching.teach(pupils, lesson, report)
    folder = kept.store(family, request.replace)
    notes.unlink(missing_ok=True)
    unsided = tuple(member.name for member in family.record.members if not member.sided)
    unlike = tuple(teaching.unlike_members(pupils))
    return LearnFamilyResult(
        folder, tuple(left_out), unlike, unsided, family.record.plateau, family.record.curve.drawn()
    )


def import_model(request: ImportModel, report: ProgressCallback) -> ImportModelResult:
    """Read a published checkpoint and keep it among the models."""
    from ...families import importing
    from ...pictures.learning.importing import PICTURE_ROLES

    report("Reading the file", 0)
    return ImportModelResult(
        *importing.import_file(
            request.file, request.role, request.name, request.license, request.replace, PICTURE_ROLES
        )
    )
