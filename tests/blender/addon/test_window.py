"""The add-on in a Blender with a window, where there is one: everything that ``tests/blender/window.py`` clicks."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from helpers.places import ROOT

BLENDER = "MESHKIN_WINDOWED_BLENDER"
"""Environment variable: how a Blender with a window is started, such as ``blender`` or ``xvfb-run blender``."""
LONGEST = 1800
"""Seconds after which it hangs."""


@pytest.mark.slow
@pytest.mark.skipif(BLENDER not in os.environ, reason=f"no Blender with a window ({BLENDER} says how it is started)")
def test_everything_that_is_clicked_in_a_window_works(tmp_path: Path) -> None:
    script = ROOT / "tests" / "blender" / "window.py"
    start = [*shlex.split(os.environ[BLENDER]), "--factory-startup", "--enable-event-simulate", "--python", str(script)]
    variables = os.environ | {"MESHKIN_CACHE": str(tmp_path)}
    ran = subprocess.run(start, env=variables, capture_output=True, text=True, timeout=LONGEST, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "ALL OK" in ran.stdout
