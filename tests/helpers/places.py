"""Where things lie that tests read: this checkout, and the data that is not part of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
CORE = ROOT / "core"
TESTS = ROOT / "tests"
DATA = Path(os.environ.get("MESHKIN_TEST_DATA") or ROOT.parent / "shared" / "data")
"""Characters, scans and models; tests that read from here are skipped where it is not there."""


@dataclass(frozen=True)
class Place:
    """Folders of a test.

    Attributes:
        home: MeshKin's.
        temporary: the system's, as far as the test's processes know.
        work: the user's, empty.
    """

    home: Path
    temporary: Path
    work: Path
