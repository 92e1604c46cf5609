"""Jobs about maps between shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...base.progress import ProgressCallback
from ...data.snapshot import Snapshot
from ...data.surface_map import Match
from ..requests.arrays import load_array
from ..requests.matching import ComposeMaps, IsCopy, IsCopyResult, MapFile, MatchShapes
from .files import keyed_map_path


def is_copy(request: IsCopy, report: ProgressCallback) -> IsCopyResult:
    """Whether one shape is a copy of another."""
    from ...matching.copies import match_copy

    report("Comparing shapes", 0)
    return IsCopyResult(match_copy(Snapshot.load(request.source), Snapshot.load(request.target)) is not None)


def match_shapes(request: MatchShapes, report: ProgressCallback) -> MapFile:
    """Match two shapes into the cache, unless their map is there."""
    from ...cache import store as cache
    from ...matching.pair import match_pair
    from ...matching.pipeline import JOINTS_VERSION, MATCHER_VERSION
    from ...matching.surfaces import described_pair

    by_joints = () if request.posed is None else (JOINTS_VERSION, request.joints)
    path = keyed_map_path(MATCHER_VERSION, *request.keys, request.pairs, request.flip, *by_joints)
    if cache.usable_map(path):
        return MapFile(path)
    source, target = Snapshot.load(request.source), Snapshot.load(request.target)
    features = cache.read(request.source_features), cache.read(request.target_features)
    source_surface, target_surface, intrinsic = described_pair(source, target, *features)
    if request.posed is not None:
        source_surface = replace(source_surface, posed=load_array(request.posed, "U3", U=len(source.vertices)))
    result = match_pair(
        source_surface,
        target_surface,
        report,
        pairs=np.array(request.pairs or np.empty((0, 2)), np.int64),
        flip=request.flip,
        intrinsic=intrinsic,
    )
    result.save(path)
    return MapFile(path)


def compose_maps(request: ComposeMaps, report: ProgressCallback) -> MapFile:
    """Match two shapes through a third one that both are matched to, into the cache."""
    from ...cache import store as cache
    from ...matching.composition import COMPOSE_VERSION, compose_matches

    path = keyed_map_path(COMPOSE_VERSION, request.first.stem, request.second.stem if request.second else "")
    if cache.usable_map(path):
        return MapFile(path)
    report("Joining maps", 0)
    first = Match.load(request.first)
    if request.second is None:
        match = first.swapped()
    else:
        shapes = (Snapshot.load(shape).vertices for shape in (request.through, request.source, request.target))
        match = compose_matches(first, Match.load(request.second), *shapes)
    match.save(path)
    return MapFile(path)
