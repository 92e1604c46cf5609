"""The match of a photograph with an object, which several jobs start from."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from ..base.progress import Progress, in_step
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.photo import CheckPhoto, MatchPhoto
from .characters import read
from .describing import Described, describe
from .options import Options
from .steps import PHOTO


def check_photo(photo: str | Path, mask: str) -> Generator[Progress, None, tuple[Path, Path | None]]:
    """The whole paths of a photograph and its mask, both looked at; raises InputError where they cannot be used."""
    photo_file = Path(photo).expanduser().resolve() if str(photo) else Path()
    mask_file = Path(mask).expanduser().resolve() if mask else None
    yield from client.shared().run(CheckPhoto(photo_file, mask_file))
    return photo_file, mask_file


def match(
    photo: str | Path, target: BlenderObject, options: Options, mask: str, folder: Path
) -> Generator[Progress, None, tuple[Described, Path]]:
    """The object, described as photographs can be, and the file of its match with the photograph."""
    snapshots.check_writable(target)
    photo_file, mask_file = yield from check_photo(photo, mask)
    character = yield from read([Handle.of(target)], as_shown=True)
    described = yield from describe(character, options, folder / "target", photo=True)
    request = MatchPhoto(
        photo=photo_file,
        mask=mask_file,
        shape=described.of.shape.save(folder / "shape.npz"),
        features=described.features,
        recipe=described.recipe,
        key=described.key,
        device=options.worker.device,
        flip=bool(options.match.flip),
    )
    answer = yield from in_step(PHOTO, client.shared().run(request))
    return described, answer.map
