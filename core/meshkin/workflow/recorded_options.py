"""Options as plain values, with which a transfer can be done again later, also after the file was opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..base.json_data import to_json
from ..base.options import options_of
from ..scene.objects import Handle, find
from .options import Options

RECORDED_GROUPS = ("features", "texture", "weights", "rig", "attributes")
"""Groups of options that decide what comes out; the device and how the match is guided are of the moment."""


def recordable(options: Options) -> dict[str, Any]:
    """The options that are not the default, as JSON values by their flat names; objects by their names."""
    values: dict[str, Any] = {}
    for group in RECORDED_GROUPS:
        chosen = getattr(options, group)
        for name, option in options_of(type(chosen)).items():
            if (value := getattr(chosen, name)) != option.default:
                values[option.flat] = [obj.name for obj in value] if option.flat == "also" else to_json(value)
    if options.match.through is not None:
        values["through"] = Handle.of(options.match.through).name
    return values


def restored(values: Mapping[str, Any], now: Options) -> Options:
    """The options that :func:`recordable` described, with the device and the guides of ``now``.

    Objects that are gone are left out.
    """
    plain = {name: _tuples(value) for name, value in values.items()}
    if "also" in plain:
        plain["also"] = tuple(obj for obj in map(find, plain["also"]) if obj)
    if "through" in plain:
        plain["through"] = find(plain["through"])
    guides = {"pairs": now.match.pairs, "flip": now.match.flip, "match_joints": now.match.joints}
    return Options(worker=now.worker).changed(**{"through": now.match.through, **plain, **guides})


def _tuples(value: Any) -> Any:
    """Lists, at any depth, as tuples."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
