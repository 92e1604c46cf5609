"""A cache in which something else lies than was put there: it is noticed, dropped and computed again."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from helpers.creatures import creature
from helpers.main_job import GEOMETRIC
from helpers.outcomes import Outcomes
from helpers.places import Place
from meshkin import workflow
from meshkin.base.errors import InputError
from meshkin.base.progress import finish
from meshkin.data.surface_map import Match
from meshkin.scene.mesh import matches

Poison = Callable[[bytes, bytes], bytes]
"""Makes of a file, and of another of its kind, what lies there afterward."""


def flipped(share: float) -> Poison:
    """One bit is flipped at this share of the file."""

    def poison(content: bytes, other: bytes) -> bytes:
        place = min(int(share * len(content)), len(content) - 1)
        return content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]

    return poison


def with_nan(content: bytes, other: bytes) -> bytes:
    """A file of features whose first numbers are none; its header stays."""
    start = 8 + struct.unpack("<Q", content[:8])[0]
    begin = json.loads(content[8:start])["features"]["data_offsets"][0]
    return content[: start + begin] + np.full(8, np.nan, np.float16).tobytes() + content[start + begin + 16 :]


def without_rows(content: bytes, other: bytes) -> bytes:
    """A map that another program has written, without its last rows."""
    with np.load(io.BytesIO(content)) as data:
        arrays = dict(data.items())
    packed = io.BytesIO()
    np.savez(
        packed, **{**arrays, **{name: arrays[name][:-9] for name in ("face", "barycentric", "vertex", "confidence")}}
    )
    return packed.getvalue()


POISONS: dict[str, Poison] = {
    "empty": lambda content, other: b"",
    "truncated": lambda content, other: content[:-7],
    "zeros": lambda content, other: bytes(len(content)),
    "text": lambda content, other: b"not what it was\n" * 40,
    "another's": lambda content, other: other,
    "longer": lambda content, other: content + b"x",
    "huge header": lambda content, other: b"\xff" * 8 + content[8:],
    **{f"bit at {share:.0%}": flipped(share) for share in (0.0, 0.003, 0.02, 0.3, 0.7, 1.0)},
}


def test_features_that_were_changed(place: Place, outcomes: Outcomes) -> None:
    obj, other = creature("one", subdivisions=2), creature("other", 1.3, subdivisions=2)
    first, second = (Path(finish(workflow.features([each], GEOMETRIC)).data["features"][0]) for each in (obj, other))
    whole = first.read_bytes()
    for name, poison in {**POISONS, "not numbers": with_nan}.items():
        first.write_bytes(poison(whole, second.read_bytes()))
        assert first.read_bytes() != whole, name
        finish(workflow.features([obj], GEOMETRIC))
        now = first.read_bytes()
        assert (len(now), now[-5000:]) == (len(whole), whole[-5000:]), name  # the order in the header may differ
        outcomes.tell("a poisoned cache", f"features: {name}", "computed again")


def same(one: Match, other: Match) -> bool:
    return all(
        np.array_equal(getattr(side, name), getattr(twin, name))
        for side, twin in ((one.to_source, other.to_source), (one.to_target, other.to_target))
        for name in ("face", "barycentric", "vertex", "confidence")
    )


def test_maps_that_were_changed(place: Place, outcomes: Outcomes) -> None:
    source, target = creature("source", subdivisions=2), creature("target", 1.2, subdivisions=2)
    path = Path(finish(workflow.match(source, target, GEOMETRIC)).data["map"])
    other = Path(finish(workflow.match(target, source, GEOMETRIC)).data["map"])
    before, whole = Match.load(path), path.read_bytes()
    for name, poison in {**POISONS, "rows missing": without_rows}.items():
        path.write_bytes(poison(whole, other.read_bytes()))
        try:
            read = matches.load(source, target).match  # as the buttons that use the last match do
        except InputError as error:
            code = error.code
        else:
            code = "as before" if same(read, before) else "wrong"
        # The dates in a ZIP file, and what follows it, are not read.
        assert code == "match-gone" or (code == "as before" and name.startswith(("bit", "longer"))), name
        again = finish(workflow.match(source, target, GEOMETRIC))
        after = Match.load(Path(again.data["map"]))
        assert same(after, before), name
        matches.load(source, target)
        outcomes.tell("a poisoned cache", f"map: {name}", "computed again")
