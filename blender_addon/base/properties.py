"""Blender's properties, made from the library's options; and the options' values, read from such properties."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from meshkin.base.options import Option, options_of

UNCHOSEN = "DEFAULT"
"""Stands for the value "", which no item of an enumeration can have."""
DECIMALS = 6
"""Blender keeps fractions in single precision: 0.4 comes back as 0.4000000059604645."""


def property_of(option: Option, hint: Any) -> Any:
    """The property for an option whose dataclass field has the type ``hint``."""
    shared = {"name": option.name, "description": option.description}
    if option.choices and option.text:
        items = tuple((choice.value, choice.name, choice.description) for choice in option.choices)
        return EnumProperty(items=items, options={"ENUM_FLAG"}, default=set(option.values), **shared)
    choices = option.choices or option.suggestions
    if choices:
        items = tuple((choice.value or UNCHOSEN, choice.name, choice.description) for choice in choices)
        return EnumProperty(items=items, default=option.default or UNCHOSEN, **shared)
    if option.text:
        return StringProperty(default=option.text.write(option.default), **shared)
    if hint is bool:
        return BoolProperty(default=option.default, **shared)
    if hint is str:
        return StringProperty(default=option.default, subtype=option.unit or "NONE", **shared)
    limits = {"min": option.least, "max": option.most, "soft_max": option.soft_most}
    numbers = {name: value for name, value in limits.items() if value is not None}
    if hint is float:
        return FloatProperty(default=option.default, subtype=option.unit or "NONE", **numbers, **shared)
    if option.default is None:  # a whole number, or the number below the least for none
        unset = _unset(option)
        shared["description"] += f"; {unset}: the default"
        return IntProperty(default=unset, **{**numbers, "min": unset}, **shared)
    return IntProperty(default=option.default, subtype=option.unit or "NONE", **numbers, **shared)


def _unset(option: Option) -> int:
    return int(option.least or 0) - 1


def panel_options(group: type, leave_out: Iterable[str] = ()) -> dict[str, Option]:
    """The options of a group that have a property, by their flat names."""
    return {
        option.flat: option for option in options_of(group).values() if option.panel and option.flat not in leave_out
    }


def with_options(*groups: type, leave_out: Iterable[str] = ()) -> Callable[[type], type]:
    """Decorate a class of Blender's: give it the properties of all options of these groups, by their flat names."""

    def decorate(kind: type) -> type:
        for group in groups:
            hints = get_type_hints(group)
            for flat, option in panel_options(group, leave_out).items():
                kind.__annotations__[flat] = property_of(option, hints[option.field])
        return kind

    return decorate


def values_of(properties: Any, group: type) -> dict[str, Any]:
    """The values of a group's options by their flat names, from an object that has some of their properties.

    Raises InputError ``option-invalid`` for a text that cannot be understood.
    """
    values = {}
    for flat, option in panel_options(group).items():
        if not hasattr(properties, flat):
            continue
        value = getattr(properties, flat)
        if option.choices and option.text:
            value = tuple(name for name in option.values if name in value)
        elif option.choices and value == UNCHOSEN:
            value = ""
        elif option.default is None and value == _unset(option):
            value = None
        elif option.unit in ("DIR_PATH", "FILE_PATH") and value:
            value = bpy.path.abspath(value)
        elif isinstance(value, float):
            value = round(value, DECIMALS)
        values[flat] = option.parsed(value)
    return values


def copy_values(properties: Any, operator: Any, group: type) -> None:
    """Let an operator's button start with the values of another object that has the same properties."""
    for flat in panel_options(group):
        if hasattr(properties, flat) and hasattr(operator, flat):
            setattr(operator, flat, getattr(properties, flat))
