"""Blender properties made from the library's options, and the options' values read back from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from meshkin.base.options import Option, options_of

UNCHOSEN = "DEFAULT"
"""Identifier of the enumeration item whose option value is "": Blender does not allow an empty identifier."""
DECIMALS = 6
"""Decimal places that are kept: Blender stores single precision, so that 0.4 comes back as 0.4000000059604645."""


def property_of(option: Option, hint: Any) -> Any:
    """Return the Blender property for an option whose dataclass field has the type ``hint``."""
    shared = {"name": option.name, "description": option.description}
    if option.choices and option.text:
        items = tuple((choice.value, choice.name, choice.description) for choice in option.choices)
        return EnumProperty(items=items, options={"ENUM_FLAG"}, default=set(option.default or option.values), **shared)
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
    if option.default is None:  # an integer or None, for which the number below the least allowed one stands
        unset = _unset(option)
        shared["description"] += f"; {unset}: the default"
        return IntProperty(default=unset, **{**numbers, "min": unset}, **shared)
    return IntProperty(default=option.default, subtype=option.unit or "NONE", **numbers, **shared)


def _unset(option: Option) -> int:
    """Return the number that stands for None."""
    return int(option.least or 0) - 1


def panel_options(group: type, leave_out: Iterable[str] = ()) -> dict[str, Option]:
    """Return the options of a group that have a property, by their flat names."""
    return {
        option.flat: option for option in options_of(group).values() if option.panel and option.flat not in leave_out
    }


def with_options(*groups: type, leave_out: Iterable[str] = ()) -> Callable[[type], type]:
    """Return a class decorator that adds a property for each option of these groups, named by its flat name."""

    def decorate(cls: type) -> type:
        for group in groups:
            hints = get_type_hints(group)
            for flat, option in panel_options(group, leave_out).items():
                cls.__annotations__[flat] = property_of(option, hints[option.field])
        return cls

    return decorate


def values_of(properties: Any, group: type) -> dict[str, Any]:
    """Return the values of a group's options by their flat names, read from an object with some of the properties.

    Raises InputError ``option-invalid`` for a text that cannot be parsed.
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
    """Copy a group's option values from the panel's settings to the properties of an operator's button."""
    for flat in panel_options(group):
        if hasattr(properties, flat) and hasattr(operator, flat):
            setattr(operator, flat, getattr(properties, flat))
