"""Dataclasses as JSON: what comes back is what was sent, and what does not fit is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkin.base.errors import WorkerError
from meshkin.worker import codec


@dataclass(frozen=True)
class Part:
    name: str
    size: int | None = None


@dataclass(frozen=True)
class Everything:
    number: int
    share: float
    text: str
    flag: bool
    nothing: None
    path: Path
    style: Literal["normal", "shading"]
    pair: tuple[int, str]
    many: tuple[float, ...]
    listed: list[Part]
    by_name: dict[str, Part]
    by_tile: dict[int, Path]
    end: int | tuple[float, float, float]
    value: bool | int | float | str | None
    part: Part | None
    free: codec.Json


finite = st.floats(allow_nan=False, allow_infinity=False)
parts = st.builds(Part, st.text(), st.none() | st.integers())
paths = st.text("abä日/. ", min_size=1).map(Path)
everything = st.builds(
    Everything,
    number=st.integers(),
    share=finite,
    text=st.text(),
    flag=st.booleans(),
    nothing=st.none(),
    path=paths,
    style=st.sampled_from(["normal", "shading"]),
    pair=st.tuples(st.integers(), st.text()),
    many=st.lists(finite, max_size=3).map(tuple),
    listed=st.lists(parts, max_size=3),
    by_name=st.dictionaries(st.text(), parts, max_size=3),
    by_tile=st.dictionaries(st.integers(), paths, max_size=3),
    end=st.integers() | st.tuples(finite, finite, finite),
    value=st.booleans() | st.integers() | finite | st.text() | st.none(),
    part=st.none() | parts,
    free=st.none() | st.lists(st.integers(), max_size=2),
)
EXAMPLE = Everything(
    1, 0.5, "t", True, None, Path("a/b"), "normal", (1, "x"), (1.0, 2.0), [Part("p", 3)], {"q": Part("q")},
    {1001: Path("c")}, (0.0, 1.0, 2.0), "v", Part("r", 2), [1],
)  # fmt: skip


@given(value=everything)
def test_round_trip(value: Everything) -> None:
    line = json.dumps(codec.encode(value, "It"), allow_nan=False)
    back = codec.decode(Everything, json.loads(line), "It")
    assert back == value
    assert type(back.value) is type(value.value)  # 1, 1.0 and True are equal, and not the same


def test_whole_numbers_are_shares_too() -> None:
    share = codec.decode(Everything, codec.encode(EXAMPLE, "It") | {"share": 1}, "It").share
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("number", "1", "“number” is '1' instead of int"),
        ("number", True, "“number” is True instead of int"),
        ("number", 1.0, "“number” is 1.0 instead of int"),
        ("number", None, "“number” is None instead of int"),
        ("share", "1", "“share” is '1' instead of float"),
        ("share", float("inf"), "“share” is inf instead of float"),
        ("text", 1, "“text” is 1 instead of str"),
        ("flag", 1, "“flag” is 1 instead of bool"),
        ("nothing", 0, "“nothing” is 0 instead of None"),
        ("path", 3, "“path” is 3 instead of Path"),
        ("style", "plain", "“style” is 'plain' instead of Literal['normal', 'shading']"),
        ("pair", [1], "“pair” is [1] instead of tuple[int, str]"),
        ("pair", [1, 2], "“pair[1]” is 2 instead of str"),
        ("many", {"0": 1.0}, "“many” is {'0': 1.0} instead of tuple[float, ...]"),
        ("many", [1.0, "x"], "“many[1]” is 'x' instead of float"),
        ("listed", [{"name": "a", "size": "b"}], "“listed[0].size” is 'b' instead of int"),
        ("listed", [{"name": "a"}], "“listed[0].size” is missing"),
        ("listed", [{"name": "a", "size": 1, "color": 2}], "“listed[0].color” is not a field of it"),
        ("by_name", [], "“by_name” is [] instead of dict"),
        ("by_name", {"a": 1}, "“by_name.a” is 1 instead of Part"),
        ("by_tile", {"a": "b"}, "“by_tile” has the key 'a' instead of a whole number"),
        ("end", [1.0, 2.0], "“end” is [1.0, 2.0] instead of int or tuple[float, float, float]"),
        ("value", [], "“value” is [] instead of bool or int or float or str or None"),
        ("part", {"name": 1, "size": 2}, "“part.name” is 1 instead of str"),
    ],
)
def test_what_does_not_fit_is_named(field: str, value: object, says: str) -> None:
    data = codec.encode(EXAMPLE, "It") | {field: value}
    with pytest.raises(WorkerError) as raised:
        codec.decode(Everything, data, "The request of the job “match”")
    assert raised.value.code == "message-invalid"
    assert raised.value.message.startswith(f"The request of the job “match” is not valid: {says}")
    assert raised.value.fix


def test_missing_and_unknown_fields_are_named() -> None:
    data = codec.encode(Part("a", 1), "It")
    for wrong, says in (
        ({**data, "colour": 1}, "It is not valid: “colour” is not a field of it."),
        ({"name": "a"}, "It is not valid: “size” is missing."),
        ([data], "It is not valid: it is [{'name': 'a', 'size': 1}] instead of Part."),
    ):
        with pytest.raises(WorkerError) as raised:
            codec.decode(Part, wrong, "It")
        assert raised.value.message == says


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "“free.deep[1]” is nan, which is not a finite number"),
        (object(), "“free.deep[1]” is <object"),
        ({1.5: 2}, "“free.deep[1]” has a key that is neither text nor a whole number"),
    ],
)
def test_what_cannot_be_sent_is_named(value: Any, says: str) -> None:
    fields = {name: getattr(EXAMPLE, name) for name in Everything.__dataclass_fields__}
    with pytest.raises(WorkerError) as raised:
        codec.encode(Everything(**{**fields, "free": {"deep": [0, value]}}), "It")
    assert raised.value.code == "message-invalid"
    assert says in raised.value.message


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(WorkerError) as raised:
        codec.decode(Part, {"name": ["x" * 1000], "size": 1}, "It")
    assert len(raised.value.message) < 200


def test_a_type_that_is_no_data_is_a_bug() -> None:
    with pytest.raises(TypeError, match="bytes"):
        codec.decode(bytes, "x", "It")
