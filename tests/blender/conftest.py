"""Each test starts from Blender's factory settings with an empty file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "core"))

import bpy


@pytest.fixture(autouse=True)
def empty_file() -> None:
    """Throw away what the test before left: data, preferences, add-ons."""
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Take back what a test made of the environment variables: the add-on's preferences set some."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End at once: bpy 4.5 can hang when the interpreter exits."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(STATUS, 1))


STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember pytest's status for :func:`pytest_unconfigure`, which runs after the summary is printed."""
    session.config.stash[STATUS] = int(exitstatus)
