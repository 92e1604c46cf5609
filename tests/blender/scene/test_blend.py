"""Objects of the open file found by their names."""

from __future__ import annotations

import bpy
import pytest

from meshkin.base.errors import InputError
from meshkin.scene import blend


def test_names_with_commas() -> None:
    """In quotes or without, as long as there is such an object; the longest name that is there counts."""
    for name in ("Eye, left", "Eye", "Shirt", "a,b", "a"):
        bpy.data.objects.new(name, None)
    listed = {
        "Shirt": ["Shirt"],
        "Eye, left": ["Eye, left"],
        "Shirt,Eye, left , Eye": ["Shirt", "Eye, left", "Eye"],
        '"Eye, left",Shirt': ["Eye, left", "Shirt"],
        '"Eye","a"': ["Eye", "a"],
        "a,b,,a": ["a,b", "a"],
        "": [],
    }
    for text, names in listed.items():
        assert [obj.name for obj in blend.find_objects(text)] == names, text
    with pytest.raises(InputError, match="“Nobody”") as raised:
        blend.find_objects("Eye, left, Nobody, Shirt")
    assert raised.value.code == "object-unknown"
