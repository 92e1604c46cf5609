"""Jobs about photographs."""

from __future__ import annotations

import contextlib
import hashlib

from ...base.errors import StorageError
from ...base.progress import ProgressCallback
from ...base.storage import bring
from ...data.photo_map import PhotoMap
from ...data.snapshot import Snapshot
from ..requests.base import NoResult
from ..requests.photo import CheckPhoto, MatchPhoto, PhotoMapFile
from .files import keyed_map_path


def check_photo(request: CheckPhoto, report: ProgressCallback) -> NoResult:
    """Check whether a photograph can be matched, before anything is computed."""
    from ...matching.photo.photograph import load_photograph

    load_photograph(request.photo, request.mask)
    return NoResult()


def match_photo(request: MatchPhoto, report: ProgressCallback) -> PhotoMapFile:
    """Match a photograph to a shape into the cache, unless their map is there."""
    from ...cache import store as cache
    from ...matching.photo import pipeline
    from ...matching.photo.photograph import load_photograph
    from ...matching.photo.settings import PhotoMatchSettings

    files = [file for file in (request.photo, request.mask) if file]
    contents = [hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest() for file in files]
    path = keyed_map_path("photo", pipeline.PHOTO_MATCHER_VERSION, request.key, *contents, str(request.flip))
    bring(path)
    with contextlib.suppress(StorageError):
        PhotoMap.load(path)
        return PhotoMapFile(path)
    photo_map = pipeline.match_photo(
        load_photograph(request.photo, request.mask),
        Snapshot.load(request.shape),
        cache.read(request.features),
        request.recipe,
        request.device,
        report,
        PhotoMatchSettings(flip=request.flip),
    )
    photo_map.save(path)
    return PhotoMapFile(path)
