"""Point pairs that guide a match: points of source and target that correspond according to the user."""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import InputError
from ..base.storage import is_file, readable_failure

Point = tuple[float, float, float]
End = int | Point
"""One end of a pair: the number of a vertex of the object's own mesh, or a point in the object's coordinates."""
Pairs = Sequence[tuple[End, End]]
"""Pairs of a source's end and a target's end."""

MOST_PAIRS = 10_000
"""Point pairs that a match can keep to (chosen: people mark tens; each is a constraint of its own)."""
_HOW_TO_FIX = "Give a source and a target end for each pair: a vertex number, or x, y, z."


def read(path: Path) -> list[tuple[End, End]]:
    """Return the point pairs in a file.

    A .json file contains a list of [source, target] pairs, or an object with the two lists ``source`` and ``target``.
    An end is a vertex number or [x, y, z]. Any other file contains a table: rows of two vertex numbers or of six
    coordinates, source first, separated by commas, semicolons or blanks. A heading and lines that begin with # are
    skipped.

    Raises:
        InputError: ``file-missing``, ``pairs-unreadable``, and as :func:`checked`.
        StorageError: the file cannot be read.
    """
    if not is_file(path):
        raise InputError("file-missing", f"There is no file {path}.", "Check the path.")
    with readable_failure(path, "reading"):
        content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        return checked(_pairs_in_json(json.loads(text)) if path.suffix.lower() == ".json" else _pairs_in_table(text))
    except (ValueError, RecursionError) as error:
        raise InputError(
            "pairs-unreadable", f"The point pairs in {path} cannot be read: {error}.", _HOW_TO_FIX
        ) from error


def checked(pairs: Iterable[Any]) -> list[tuple[End, End]]:
    """Return point pairs as plain Python numbers.

    Raises InputError ``pairs-invalid``: a pair has not two ends; an end is not a number, not finite, or negative.
    """
    result: list[tuple[End, End]] = []
    for number, pair in enumerate(pairs, 1):
        if number > MOST_PAIRS:
            raise InputError("pairs-count", f"There are more than {MOST_PAIRS} point pairs.", "Give fewer.")
        try:
            source, target = pair
            result.append((_end(source), _end(target)))
        except (TypeError, ValueError) as error:
            raise InputError("pairs-invalid", f"Point pair {number} cannot be used: {error}.", _HOW_TO_FIX) from error
    return result


def _end(value: Any) -> End:
    """Return one end of a pair as a vertex number or a point; raises TypeError or ValueError."""
    if isinstance(value, (str, bytes, bool)):
        raise TypeError(f"{value!r} is not a number")
    if isinstance(value, Iterable):
        x, y, z = (float(coordinate) for coordinate in value)
        if not all(math.isfinite(coordinate) for coordinate in (x, y, z)):
            raise ValueError("a coordinate is not a finite number")
        return x, y, z
    vertex = operator.index(int(value) if isinstance(value, float) and value.is_integer() else value)
    if vertex < 0:
        raise ValueError(f"there is no vertex {vertex}")
    return vertex


def _pairs_in_json(data: Any) -> Iterable[Any]:
    """Return the unchecked pairs in a JSON value; raises ValueError, InputError ``pairs-count``."""
    if isinstance(data, dict):
        if not {"source", "target"} <= data.keys():
            raise ValueError("“source” or “target” is missing")
        source, target = data["source"], data["target"]
        if not isinstance(source, list) or not isinstance(target, list):
            raise ValueError("“source” and “target” must be lists")
        if len(source) != len(target):
            raise InputError(
                "pairs-count",
                f"There are {len(source)} points for the source and {len(target)} for the target.",
                "Give the same number for both.",
            )
        return zip(source, target, strict=True)
    if not isinstance(data, list):
        raise ValueError("it is not a list")
    return data


def _pairs_in_table(text: str) -> list[tuple[Any, Any]]:
    """Return the unchecked pairs in the rows of a table; raises ValueError."""
    rows: list[tuple[Any, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = [word for word in re.split(r"[,;\s]+", line.strip()) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words]
        except ValueError:
            if not rows:
                continue  # a heading
            raise
        if len(values) not in (2, 6):
            raise ValueError(f"line {number} has {len(values)} numbers instead of 2 or 6")
        rows.append((values[0], values[1]) if len(values) == 2 else (values[:3], values[3:]))
    if text.strip() and not rows:
        raise ValueError("it contains no numbers")
    return rows
