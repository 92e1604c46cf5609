"""How pytest ends inside Blender; conftest modules take these hooks over by importing them."""

from __future__ import annotations

import os
import sys

import pytest

from meshkin.scene import blend

STATUS = pytest.StashKey[int]()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remember pytest's status for :func:`pytest_unconfigure`, which runs after the summary is printed."""
    session.config.stash[STATUS] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End at once, without Blender's shutdown, in which some versions hang (bpy 4.5)."""
    blend.remove_temporary_files()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.stash.get(STATUS, 1))
