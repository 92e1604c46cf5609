"""The add-on, as Blender enables it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from helpers.empty_file import open_empty_file
from helpers.places import ROOT

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is loaded


@pytest.fixture
def addon(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The add-on, enabled as Blender does it, in an empty file."""
    monkeypatch.syspath_prepend(str(ROOT))
    open_empty_file()
    module = addon_utils.enable("blender_addon", default_set=True)
    assert module is not None
    yield module
    addon_utils.disable("blender_addon", default_set=True)
    for name in [name for name in sys.modules if name.split(".")[0] == "blender_addon"]:
        del sys.modules[name]
