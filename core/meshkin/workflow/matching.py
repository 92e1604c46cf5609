"""Matches: between two objects, and of many with one reference."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.json_data import to_json
from ..base.progress import Progress, in_step
from ..data.point_pairs import Pairs
from ..data.surface_map import Match
from ..scene import characters
from ..scene.characters import Picked
from ..scene.display import match_colors
from ..scene.mesh import attributes
from ..scene.mesh import matches as scene_matches
from ..scene.mesh import pairs as point_pairs
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import BlenderObject, Handle
from ..worker import client
from ..worker.requests.features import FeatureColorArrays
from ..worker.requests.matching import ComposeMaps, MatchShapes
from ..worker.requests.rig import MapByJointsResult
from .characters import CharacterSnapshot, read
from .describing import Described, EarlyColors, colors_of, describe, write_colors
from .doubtful_places import doubtful_places, places_sentence
from .doubts import confidence_sentence, match_data, match_remarks, mean_confidence
from .files import work_folder
from .joints import at_rest, pose_onto_joints, shared_bones, tell_something
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
from .whole_job import whole_job


def match(source: Picked, target: Picked, options: Options = Options()) -> Steps:
    """Match two objects both ways; ``data["map"]`` is the path of the map's .npz file in the cache.

    Objects, collections and lists stand for characters as in :func:`meshkin.workflow.transfer`.

    Writes the shared PCA colors on both (on the source only if it can be written to) and
    ``meshkin_match_confidence`` on the target, which remembers the match.
    Raises as :func:`features` and :func:`meshkin.scene.mesh.pairs.vertex_pairs`, and InputError ``same-object``,
    ``pairs-through`` (point pairs given as an option, or flipped, together with ``through``).
    """
    ends = matched_meshes(source, target, options)
    costs = {**match_costs(ends[0][0], ends[1][0], options), COLORING: COLOR_SECONDS}
    return (yield from whole_job(_match(*ends, options), costs))


def _match(sources: tuple[Handle, ...], targets: tuple[Handle, ...], options: Options) -> Steps:
    with work_folder() as folder, EarlyColors(options, folder) as early:
        for handle in targets:
            snapshots.check_writable(handle.get())
        matched = yield from find_match(sources, targets, options, folder, early)
        surface_maps = Match.load(matched.map)
        colors = early.colors or (yield from early.show([matched.source, matched.target]))
        _write_matches([matched], [surface_maps], colors)
        early.keep()
        places = scene_matches.doubtful_places(matched.source.of.handle.get(), matched.target.of.handle.get())
    names = f"“{matched.source.of.name}” and “{matched.target.of.name}”"
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


def matched_meshes(source: Picked, target: Picked, options: Options) -> tuple[tuple[Handle, ...], tuple[Handle, ...]]:
    """The meshes of two characters that are matched; through a set's reference, those alone that were picked."""
    if source == target:
        check_different(source, target)
    pair = characters.pair(source, target)
    sources, targets = (tuple(Handle.of(obj) for obj in meshes) for meshes in (pair.sources, pair.targets))
    if options.match.through is None:
        return sources, targets
    picked = [Handle.of(obj) for obj in (source, target) if not isinstance(obj, Sequence)]
    return tuple(filter(picked.__contains__, sources)), tuple(filter(picked.__contains__, targets))


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
    return (yield from whole_job(_match_set(handles, center, options), costs | {COLORING: COLOR_SECONDS}))


def _match_set(handles: Sequence[Handle], center: Handle, options: Options) -> Steps:
    with work_folder() as folder:
        matches = []
        for handle in handles:
            matches.append((yield from _match_directly([center], [handle], options, folder)))
        surface_maps = [Match.load(match.map) for match in matches]
        described = [matches[0].source, *(match.target for match in matches)]
        colors = yield from colors_of(described, options, folder)
        _write_matches(matches, surface_maps, colors)
    by_name = {match.target.of.name: maps for match, maps in zip(matches, surface_maps, strict=True)}
    return Report.of(
        f"{len(matches)} objects are matched to “{center.name}”, and through it to each other.",
        [
            _about(name, remark)
            for name, maps in by_name.items()
            for remark in (confidence_sentence(maps), *match_remarks(maps))
        ],
        {
            "reference": center.name,
            "maps": {match.target.of.name: str(match.map) for match in matches},
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
    """Two objects or characters that are matched.

    Attributes:
        source, target: both, described.
        map: file of their :class:`meshkin.data.surface_map.Match` in the cache.
        flip: whether the other answer was taken.
        pairs: int64 (P, 2), the vertices of the point pairs that guided the match.
    """

    source: Described
    target: Described
    map: Path
    flip: bool = False
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def remember(self) -> None:
        """Note on the target what its match is, and where it is doubtful."""
        ends = self.source.of, self.target.of
        shapes = ends[0].shape, ends[1].shape
        places = doubtful_places(ends[1], Match.load(self.map).to_source.confidence)
        objects = ends[0].objects(), ends[1].objects()
        scene_matches.remember(*objects, shapes, self.map.stem, self.flip, self.pairs, places)


def check_different(source: object, target: object) -> None:
    """Raise InputError ``same-object`` if source and target are one."""
    if source == target:
        raise InputError("same-object", "Source and target are the same object.", "Choose two different objects.")


def find_match(
    source: Sequence[Handle],
    target: Sequence[Handle],
    options: Options,
    folder: Path,
    early: EarlyColors | None = None,
) -> Generator[Progress, None, ObjectMatch]:
    """The features of two objects or characters and their map in the cache, made directly or through a third object.

    With ``early``, the features are shown while they are compared.
    """
    source, target = tuple(source), tuple(target)
    check_different(source, target)
    if options.match.through is None:
        return (yield from _match_directly(source, target, options, folder, early))
    center = (Handle.of(options.match.through),)
    if center == source:
        return (yield from _match_directly(source, target, options, folder, early))
    _check_direct(options)
    to_source = yield from _match_directly(center, source, options, folder)
    if center == target:
        return (yield from _join(to_source, None, folder))
    to_target = yield from _match_directly(center, target, options, folder)
    return (yield from _join(to_source, to_target, folder))


def _match_directly(
    source: Sequence[Handle],
    target: Sequence[Handle],
    options: Options,
    folder: Path,
    early: EarlyColors | None = None,
) -> Generator[Progress, None, ObjectMatch]:
    """The match of two objects, guided by point pairs. Pairs that cannot be used raise an error before the work."""
    ends = (yield from read(source)), (yield from read(target))
    pairs = _vertex_pairs(*ends, options.match.pairs)
    flip = options.match.flip
    if flip is None:
        flip = scene_matches.was_flipped_with(ends[0].handle.get(), ends[1].handle.get(), pairs)
    described_source = yield from describe(ends[0], options, folder / "source")
    described_target = yield from describe(ends[1], options, folder / "target")
    if early:
        yield from early.show([described_source, described_target])
    joints = None
    if options.match.joints and not flip:
        joints = yield from _joints(*ends, options, folder)
    matching = client.shared().run(
        MatchShapes(
            source=ends[0].shape.save(folder / "source-shape.npz"),
            target=ends[1].shape.save(folder / "target-shape.npz"),
            source_features=described_source.features,
            target_features=described_target.features,
            keys=(described_source.key, described_target.key),
            pairs=tuple((int(vertex), int(other)) for vertex, other in pairs),
            flip=flip,
            posed=joints.posed if joints else None,
            joints=joints.key if joints else "",
        )
    )
    answer = yield from in_step(match_of(source[0], target[0]), matching)
    return ObjectMatch(described_source, described_target, answer.map, flip, pairs)


def _joints(
    source: CharacterSnapshot, target: CharacterSnapshot, options: Options, folder: Path
) -> Generator[Progress, None, MapByJointsResult | None]:
    """The source posed onto the target's joints, if somebody has placed these; else None."""
    shared = shared_bones(source.objects(), target.objects(), options.weights.new_names)
    if shared is None or not shared.is_placed:
        return None
    ends = at_rest(source, shared.source), at_rest(target, shared.target)
    answer = yield from pose_onto_joints(*ends, shared.names, folder)
    return answer if tell_something(answer) else None


def _vertex_pairs(source: CharacterSnapshot, target: CharacterSnapshot, given: Pairs | None) -> NDArray[np.int64]:
    """The vertices of the two shapes at the ends of point pairs, int64 (P, 2).

    Pairs that are ``given`` are points of the first mesh of each; those of the scene are on any of the meshes.
    """
    starts = [
        np.cumsum([0, *(len(piece.snapshot.vertices) for piece in character.pieces)]) for character in (source, target)
    ]
    found = [np.empty((0, 2), np.int64)]
    for number, piece in enumerate(source.pieces[: None if given is None else 1]):
        for other, other_piece in enumerate(target.pieces[: None if given is None else 1]):
            objects = piece.handle.get(), other_piece.handle.get()
            rows = point_pairs.vertex_pairs(*objects, (piece.snapshot, other_piece.snapshot), given)
            found.append(rows + np.array((starts[0][number], starts[1][other])))
    return np.concatenate(found)


def _join(
    to_source: ObjectMatch, to_target: ObjectMatch | None, folder: Path
) -> Generator[Progress, None, ObjectMatch]:
    """The match of the two objects that a third one, the source of both matches, is matched to.

    Without ``to_target`` the third object itself is the target.
    """
    center, source = to_source.source, to_source.target
    target = to_target.target if to_target else center
    request = ComposeMaps(
        through=center.of.shape.save(folder / "through-shape.npz"),
        source=source.of.shape.save(folder / "source-shape.npz"),
        target=target.of.shape.save(folder / "target-shape.npz"),
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
    matches: list[ObjectMatch], surface_maps: list[Match], colors: list[tuple[Described, FeatureColorArrays]]
) -> None:
    """Write what new matches show: features as colors, confidence, and where the map is."""
    for match in matches:
        for described in (match.source, match.target):
            described.of.check_unchanged()
    write_colors(colors)
    for match, maps in zip(matches, surface_maps, strict=True):
        source, targets = match.source.of.handle.get(), match.target.of.objects()
        for target, rows in zip(targets, match.target.of.rows(), strict=True):
            attributes.write(target, match_colors.CONFIDENCE, maps.to_source.confidence[rows])
        match.remember()
        match_colors.repaint(source, targets[0])


def _guidance(match: ObjectMatch) -> list[Remark]:
    """What guided a match, a sentence each."""
    count = len(match.pairs)
    pairs: list[Remark] = [f"{count} point pair{'s' if count > 1 else ''} guided it."] if count else []
    return pairs + (["It is flipped: the other answer was taken."] if match.flip else [])
