"""Requests and results as JSON: what comes back is what was sent, and what does not fit is named."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkin.base.errors import WorkerError
from meshkin.base.json_data import Json
from meshkin.worker import codec


@dataclass(frozen=True)
class Part:
    name: str
    size: int | None


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
    free: Json


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
    1, 0.5, "t", True, None, Path("a/b"), "normal", (1, "x"), (1.0, 2.0), [Part("p", 3)], {"q": Part("q", None)},
    {1001: Path("c")}, (0.0, 1.0, 2.0), "v", Part("r", 2), [1],
)  # fmt: skip
ENCODED = codec.encode(EXAMPLE, "It", "match")


@given(value=everything)
def test_round_trip(value: Everything) -> None:
    line = json.dumps(codec.encode(value, "It", "match"), allow_nan=False)
    back = codec.decode(Everything, json.loads(line), "It", "match")
    assert back == value
    assert type(back.value) is type(value.value)  # 1, 1.0 and True are equal, and not the same


def test_whole_numbers_are_shares_too() -> None:
    share = codec.decode(Everything, ENCODED | {"share": 1}, "It", "match").share
    assert isinstance(share, float)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("number", "1", "number must be a whole number, not “1”"),
        ("number", True, "number must be a whole number, not “True”"),
        ("number", 1.0, "number must be a whole number, not “1.0”"),
        ("number", None, "number must be a whole number, not “None”"),
        ("share", "1", "share must be a number, not “1”"),
        ("share", float("inf"), "share must be a number, not “inf”"),
        ("text", 1, "text must be a text, not “1”"),
        ("flag", 1, "flag must be true or false, not “1”"),
        ("nothing", 0, "nothing must be null, not “0”"),
        ("path", 3, "path must be a path, not “3”"),
        ("style", "plain", "style must be “normal” or “shading”, not “plain”"),
        ("pair", [1], "pair must be a list of 2, not “[1]”"),
        ("pair", [1, 2], "pair[1] must be a text, not “2”"),
        ("many", {"0": 1.0}, "many must be a list, not"),
        ("many", [1.0, "x"], "many[1] must be a number, not “x”"),
        ("listed", [{"name": "a", "size": "b"}], "listed[0].size must be a whole number, not “b”"),
        ("listed", [{"name": "a"}], "listed[0] lacks the field “size”"),
        ("listed", [{"name": "a", "size": 1, "color": 2}], "listed[0] has no field “color”"),
        ("by_name", [], "by_name must be an object, not “[]”"),
        ("by_name", {"a": 1}, "by_name.a must be an object, not “1”"),
        ("by_tile", {"a": "b"}, "by_tile must be a whole number, not “a”"),
        ("end", [1.0, 2.0], "end must be a whole number or a list, not “[1.0, 2.0]”"),
        ("value", [], "value must be true or false or a whole number or a number or a text or null, not “[]”"),
        ("part", {"name": 1, "size": 2}, "part.name must be a text, not “1”"),
    ],
)
def test_what_does_not_fit_is_named(field: str, value: Json, says: str) -> None:
    with pytest.raises(WorkerError) as raised:
        codec.decode(Everything, ENCODED | {field: value}, "A request", "match")
    assert raised.value.code == "message-invalid"
    assert raised.value.message.startswith("A request is not valid: ")
    assert f"match.{says}" in raised.value.message
    assert raised.value.fix


def test_missing_and_unknown_fields_are_named() -> None:
    data = {"name": "a", "size": 1}
    cases: list[tuple[Any, str]] = [
        ({**data, "colour": 1}, "A request is not valid: match has no field “colour”."),
        ({"name": "a"}, "A request is not valid: match lacks the field “size”."),
        ([data], "A request is not valid: match must be an object, not “[{'name': 'a', 'size': 1}]”."),
    ]
    for wrong, says in cases:
        with pytest.raises(WorkerError) as raised:
            codec.decode(Part, wrong, "A request", "match")
        assert raised.value.message == says


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (float("nan"), "match.free.deep[1] is no JSON value but the float nan"),
        (object(), "match.free.deep[1] is no JSON value but the object <object"),
        ({1.5: 2}, "match.free.deep[1] is no JSON value but the dict {1.5: 2}"),
    ],
)
def test_what_cannot_be_sent_is_named(value: Any, says: str) -> None:
    fields = {name: getattr(EXAMPLE, name) for name in Everything.__dataclass_fields__}
    with pytest.raises(WorkerError) as raised:
        codec.encode(Everything(**{**fields, "free": {"deep": [0, value]}}), "It", "match")
    assert raised.value.code == "message-invalid"
    assert says in raised.value.message


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(WorkerError) as raised:
        codec.decode(Part, {"name": ["x" * 1000], "size": 1}, "It", "match")
    assert len(raised.value.message) < 200


def test_a_type_that_is_no_data_is_a_bug() -> None:
    @dataclass
    class Strange:
        field: bytes

    with pytest.raises(TypeError, match=r"match\.field: <class 'bytes'> cannot be read from JSON"):
        codec.decode(Strange, {"field": "x"}, "It", "match")
