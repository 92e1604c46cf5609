"""Matches: between two objects, and of many with one reference."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..base.errors import InputError
from ..base.progress import Progress
from ..data.surface_map import Match
from ..scene.display import match_colors as look
from ..scene.mesh import attributes, matches
from ..scene.mesh import pairs as point_pairs
from ..scene.mesh import snapshot as snapshots
from ..scene.objects import Handle
from ..worker import client
from .describing import Described, colors_of, describe, read, write_colors
from .files import job_folder
from .options import Job, Options, Report

if TYPE_CHECKING:
    import bpy


def match(source: bpy.types.Object, target: bpy.types.Object, options: Options = Options()) -> Job:
    """Match two objects both ways; ``data["map"]`` is the path of the map's .npz file in the cache.

    Writes the shared PCA colors on both (on the source only if it can be written to) and
    ``meshkin_match_confidence`` on the target, which remembers the match.
    Raises as :func:`features` and :func:`meshkin.scene.mesh.pairs.vertex_pairs`, and InputError ``same-object``,
    ``pairs-through`` (point pairs given as an option, or flipped, together with ``through``).
    """
    with job_folder() as folder:
        snapshots.check_writable(target)
        made = yield from find_match(Handle.of(source), Handle.of(target), options, folder)
        found = Match.load(Path(made.map))
        colors = yield from colors_of([made.source, made.target], options, folder)
        _write_matches([made], [found], colors)
    confidence = found.to_source.confidence
    names = f"“{made.source.handle.name}” and “{made.target.handle.name}”"
    return Report(
        f"{names} are matched: confidence {confidence.mean():.0%} on average.",
        _guidance(made) + list(found.notes.get("sentences", [])),
        {
            "map": made.map,
            "confidence": float(confidence.mean()),
            "recipe": made.source.recipe,
            "pairs": made.pairs.tolist(),
            "flip": made.flip,
            "notes": found.notes,
        },
    )


def match_set(objects: Iterable[bpy.types.Object], reference: bpy.types.Object, options: Options = Options()) -> Job:
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
    with job_folder() as folder:
        made = []
        for handle in handles:
            made.append((yield from _match_directly(center, handle, options, folder)))
        found = [Match.load(Path(one.map)) for one in made]
        colors = yield from colors_of([made[0].source, *(one.target for one in made)], options, folder)
        _write_matches(made, found, colors)
    sentences = [
        f"“{one.target.handle.name}”: {text}"
        for one, match in zip(made, found, strict=True)
        for text in [
            f"confidence {match.to_source.confidence.mean():.0%} on average.",
            *match.notes.get("sentences", []),
        ]
    ]
    return Report(
        f"{len(made)} objects are matched to “{center.name}”, and through it to each other.",
        sentences,
        {"reference": center.name, "maps": {one.target.handle.name: one.map for one in made}},
    )


@dataclass(frozen=True)
class Found:
    """Two objects, the cache file of their map, and what it was guided by."""

    source: Described
    target: Described
    map: str
    flip: bool = False
    pairs: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))

    def remember(self) -> None:
        """Note on the target what its match is."""
        source, target = self.source.handle.get(), self.target.handle.get()
        shapes = self.source.snapshot, self.target.snapshot
        matches.remember(source, target, shapes, Path(self.map).stem, self.flip, self.pairs)


def find_match(one: Handle, two: Handle, options: Options, folder: Path) -> Generator[Progress, None, Found]:
    """Both objects' features and their map in the cache, made directly or through a third object."""
    if one == two:
        raise InputError("same-object", "Source and target are the same object.", "Choose two different objects.")
    if options.through is None:
        return (yield from _match_directly(one, two, options, folder))
    center = Handle.of(options.through)
    if center == one:
        return (yield from _match_directly(one, two, options, folder))
    _check_direct(options)
    first = yield from _match_directly(center, one, options, folder)
    if center == two:
        return (yield from _join(first, None, folder))
    return (yield from _join(first, (yield from _match_directly(center, two, options, folder)), folder))


def _match_directly(source: Handle, target: Handle, options: Options, folder: Path) -> Generator[Progress, None, Found]:
    """The map between two objects, guided by point pairs: those that cannot be used are told before the work."""
    shapes = (yield from read(source)), (yield from read(target))
    ends = source.get(), target.get()
    pairs = point_pairs.vertex_pairs(*ends, shapes, options.pairs)
    flip = matches.was_flipped_with(*ends, pairs) if options.flip is None else options.flip
    one = yield from describe(source, options, folder / "source", shapes[0])
    two = yield from describe(target, options, folder / "target", shapes[1])
    arguments: dict[str, Any] = {"source_features": one.features, "target_features": two.features}
    arguments |= {"keys": [one.key, two.key], "pairs": pairs.tolist(), "flip": flip}
    arguments |= _shape_files({"source": one, "target": two}, folder)
    result = yield from client.shared().run("match", arguments)
    return Found(one, two, result["map"], flip, pairs)


def _join(first: Found, second: Found | None, folder: Path) -> Generator[Progress, None, Found]:
    """The map between what two maps of one source go to; or, with one map alone, from its target to its source."""
    target = second.target if second else first.source
    shapes = {"through": first.source, "source": first.target, "target": target}
    arguments = {"first": first.map, "second": second.map if second else None, **_shape_files(shapes, folder)}
    result = yield from client.shared().run("compose", arguments)
    return Found(first.target, target, result["map"])


def _shape_files(shapes: dict[str, Described], folder: Path) -> dict[str, str]:
    """Snapshots as files that a worker reads; their paths by name."""
    paths = {name: folder / f"{name}-shape.npz" for name in shapes}
    for name, shape in shapes.items():
        shape.snapshot.save(paths[name])
    return {name: str(path) for name, path in paths.items()}


def _check_direct(options: Options) -> None:
    if options.pairs or options.flip:
        raise InputError(
            "pairs-through",
            "Objects of a set cannot share one list of point pairs, nor be flipped together.",
            "Mark the points by empties in the scene, or match two objects without the set's reference.",
        )


def _write_matches(
    made: list[Found], found: list[Match], colors: list[tuple[Described, dict[str, NDArray[Any]]]]
) -> None:
    """Write what new matches show: features as colors, confidence, and where the map is."""
    for one in made:
        for end in (one.source, one.target):
            snapshots.check_unchanged(end.handle.get(), end.snapshot)
    write_colors(colors)
    for one, match in zip(made, found, strict=True):
        source, target = one.source.handle.get(), one.target.handle.get()
        attributes.write(target, look.CONFIDENCE, match.to_source.confidence[one.target.snapshot.original])
        one.remember()
        look.repaint(source, target)


def _guidance(made: Found) -> list[str]:
    """What guided a match, a sentence each."""
    count = len(made.pairs)
    pairs = [f"{count} point pair{'s' if count > 1 else ''} guided it."] if count else []
    return pairs + (["It is flipped: the other answer was taken."] if made.flip else [])
