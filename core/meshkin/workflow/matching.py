"""Matches: between two objects, and of many with one reference."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.json_data import to_json
from ..base.progress import Progress, in_step, of_job
from ..data.surface_map import Match
from ..scene.display import match_colors
from ..scene.mesh import attributes
from ..scene.mesh import matches as scene_matches
from ..scene.mesh import pairs as point_pairs
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.features import FeatureColorArrays
from ..worker.requests.matching import ComposeMaps, MatchShapes
from .describing import DescribedObject, EarlyColors, colors_of, describe, read, write_colors
from .doubtful_places import doubtful_places, places_sentence
from .doubts import confidence_sentence, match_data, match_remarks, mean_confidence
from .files import work_folder
from .options import Options, Remark, Report, Steps
from .steps import (
    COLOR_SECONDS,
    COLORING,
    COMPOSE,
    MATCH_SECONDS,
    feature_costs,
    match_costs,
    match_of,
)


def match(source: BlenderObject, target: BlenderObject, options: Options = Options()) -> Steps:
    """Match two objects both ways; ``data["map"]`` is the path of the map's .npz file in the cache.

    Writes the shared PCA colors on both (on the source only if it can be written to) and
    ``meshkin_match_confidence`` on the target, which remembers the match.
    Raises as :func:`features` and :func:`meshkin.scene.mesh.pairs.vertex_pairs`, and InputError ``same-object``,
    ``pairs-through`` (point pairs given as an option, or flipped, together with ``through``).
    """
    ends = Handle.of(source), Handle.of(target)
    return (yield from of_job(_match(*ends, options), {**match_costs(*ends, options), COLORING: COLOR_SECONDS}))


def _match(source: Handle, target: Handle, options: Options) -> Steps:
    with work_folder() as folder, EarlyColors(options, folder) as early:
        snapshots.check_writable(target.get())
        matched = yield from find_match(source, target, options, folder, early)
        surface_maps = Match.load(matched.map)
        colors = early.colors or (yield from early.show([matched.source, matched.target]))
        _write_matches([matched], [surface_maps], colors)
        early.keep()
        places = scene_matches.doubtful_places(matched.source.handle.get(), matched.target.handle.get())
    names = f"“{matched.source.handle.name}” and “{matched.target.handle.name}”"
    return Report.of(
        f"{names} are matched: confidence {mean_confidence(surface_maps):.0%} on average.",
        _guidance(matched) + match_remarks(surface_maps) + places_sentence(places),
        {
            **match_data(matched.map, surface_maps),
            "recipe": to_json(matched.source.recipe),
            "pairs": matched.pairs.tolist(),
            "flip": matched.flip,
            "doubtful_places": [to_json(place) for place in places],
        },
    )


def match_set(objects: Iterable[BlenderObject], reference: BlenderObject, options: Options = Options()) -> Steps:
    """Match every object to one reference, which is the source; ``data["maps"]`` holds each one's map by its name.

    With ``Options(through=reference)``, :func:`match` and :func:`transfer` between any two of them join these maps.
    Writes and raises as :func:`match`, and InputError ``nothing-selected``.
    """
    handles = [Handle.of(obj) for obj in objects if obj != reference]
    if not handles:
        raise InputError("nothing-selected", "No object was given beside the reference.", "Select two or more.")
    center = Handle.of(reference)
    _check_direct(options)
    for handle in handles:
        snapshots.check_writable(handle.get())
    costs = feature_costs([center], options)
    for handle in handles:
        costs |= {**feature_costs([handle], options), match_of(center, handle): MATCH_SECONDS}
    return (yield from of_job(_match_set(handles, center, options), costs | {COLORING: COLOR_SECONDS}))


def _match_set(handles: Sequence[Handle], center: Handle, options: Options) -> Steps:
    with work_folder() as folder:
        matches = []
        for handle in handles:
            matches.append((yield from _match_directly(center, handle, options, folder)))
        surface_maps = [Match.load(match.map) for match in matches]
        described = [matches[0].source, *(match.target for match in matches)]
        colors = yield from colors_of(described, options, folder)
        _write_matches(matches, surface_maps, colors)
    by_name = {match.target.handle.name: maps for match, maps in zip(matches, surface_maps, strict=True)}
    return Report.of(
        f"{len(matches)} objects are matched to “{center.name}”, and through it to each other.",
        [
            _about(name, remark)
            for name, maps in by_name.items()
            for remark in (confidence_sentence(maps), *match_remarks(maps))
        ],
        {
            "reference": center.name,
            "maps": {match.target.handle.name: str(match.map) for match in matches},
            "confidence": {name: mean_confidence(maps) for name, maps in by_name.items()},
        },
    )


def _about(name: str, remark: Remark) -> Remark:
    """The remark with the name of the object that it is about."""
    if isinstance(remark, str):
        return f"“{name}”: {remark}"
    return replace(remark, message=f"“{name}”: {remark.message}")


@dataclass(frozen=True)
class ObjectMatch:
    """Two objects that are matched.

    Attributes:
        source, target: the objects, described.
        map: file of their :class:`meshkin.data.surface_map.Match` in the cache.
        flip: whether the other answer was taken.
        pairs: int64 (P, 2), the vertices of the point pairs that guided the match.
    """

    source: DescribedObject
    target: DescribedObject
    map: Path
    flip: bool = False
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def remember(self) -> None:
        """Note on the target what its match is, and where it is doubtful."""
        source, target = self.source.handle.get(), self.target.handle.get()
        shapes = self.source.snapshot, self.target.snapshot
        places = doubtful_places(target, self.target.snapshot, Match.load(self.map).to_source.confidence)
        scene_matches.remember(source, target, shapes, self.map.stem, self.flip, self.pairs, places)


def check_different(source: object, target: object) -> None:
    """Raise InputError ``same-object`` if source and target are one."""
    if source == target:
        raise InputError("same-object", "Source and target are the same object.", "Choose two different objects.")


def find_match(
    source: Handle, target: Handle, options: Options, folder: Path, early: EarlyColors | None = None
) -> Generator[Progress, None, ObjectMatch]:
    """Both objects' features and their map in the cache, made directly or through a third object.

    With ``early``, the features are shown while they are compared.
    """
    check_different(source, target)
    if options.match.through is None:
        return (yield from _match_directly(source, target, options, folder, early))
    center = Handle.of(options.match.through)
    if center == source:
        return (yield from _match_directly(source, target, options, folder, early))
    _check_direct(options)
    to_source = yield from _match_directly(center, source, options, folder)
    if center == target:
        return (yield from _join(to_source, None, folder))
    to_target = yield from _match_directly(center, target, options, folder)
    return (yield from _join(to_source, to_target, folder))


def _match_directly(
    source: Handle, target: Handle, options: Options, folder: Path, early: EarlyColors | None = None
) -> Generator[Progress, None, ObjectMatch]:
    """The match of two objects, guided by point pairs. Pairs that cannot be used raise an error before the work."""
    shapes = (yield from read(source)), (yield from read(target))
    objects = source.get(), target.get()
    pairs = point_pairs.vertex_pairs(*objects, shapes, options.match.pairs)
    flip = scene_matches.was_flipped_with(*objects, pairs) if options.match.flip is None else options.match.flip
    described_source = yield from describe(source, options, folder / "source", shapes[0])
    described_target = yield from describe(target, options, folder / "target", shapes[1])
    if early:
        yield from early.show([described_source, described_target])
    matching = client.shared().run(
        MatchShapes(
            source=described_source.snapshot.save(folder / "source-shape.npz"),
            target=described_target.snapshot.save(folder / "target-shape.npz"),
            source_features=described_source.features,
            target_features=described_target.features,
            keys=(described_source.key, described_target.key),
            pairs=tuple((int(vertex), int(other)) for vertex, other in pairs),
            flip=flip,
        )
    )
    answer = yield from in_step(match_of(source, target), matching)
    return ObjectMatch(described_source, described_target, answer.map, flip, pairs)


def _join(
    to_source: ObjectMatch, to_target: ObjectMatch | None, folder: Path
) -> Generator[Progress, None, ObjectMatch]:
    """The match of the two objects that a third one, the source of both matches, is matched to.

    Without ``to_target`` the third object itself is the target.
    """
    center, source = to_source.source, to_source.target
    target = to_target.target if to_target else center
    request = ComposeMaps(
        through=center.snapshot.save(folder / "through-shape.npz"),
        source=source.snapshot.save(folder / "source-shape.npz"),
        target=target.snapshot.save(folder / "target-shape.npz"),
        first=to_source.map,
        second=to_target.map if to_target else None,
    )
    answer = yield from in_step(COMPOSE, client.shared().run(request))
    return ObjectMatch(source, target, answer.map)


def _check_direct(options: Options) -> None:
    if options.match.pairs or options.match.flip:
        raise InputError(
            "pairs-through",
            "Objects of a set cannot share one list of point pairs, nor be flipped together.",
            "Mark the points by empties in the scene, or match two objects without the set's reference.",
        )


def _write_matches(
    matches: list[ObjectMatch], surface_maps: list[Match], colors: list[tuple[DescribedObject, FeatureColorArrays]]
) -> None:
    """Write what new matches show: features as colors, confidence, and where the map is."""
    for match in matches:
        for described in (match.source, match.target):
            snapshots.check_unchanged(described.handle.get(), described.snapshot)
    write_colors(colors)
    for match, maps in zip(matches, surface_maps, strict=True):
        source, target = match.source.handle.get(), match.target.handle.get()
        confidence = maps.to_source.confidence[match.target.snapshot.original]
        attributes.write(target, match_colors.CONFIDENCE, confidence)
        match.remember()
        match_colors.repaint(source, target)


def _guidance(match: ObjectMatch) -> list[Remark]:
    """What guided a match, a sentence each."""
    count = len(match.pairs)
    pairs: list[Remark] = [f"{count} point pair{'s' if count > 1 else ''} guided it."] if count else []
    return pairs + (["It is flipped: the other answer was taken."] if match.flip else [])
