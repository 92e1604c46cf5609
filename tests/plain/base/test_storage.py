"""Where MeshKin's folders lie."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from meshkin.base import storage


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the folder has another place there")
@pytest.mark.parametrize(("data", "expected"), [("", None), ("relative", None), ("/somewhere", "/somewhere")])
def test_home_never_depends_on_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, data: str, expected: str | None
) -> None:
    monkeypatch.delenv("MESHKIN_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", data)
    assert storage.home() == Path(expected or Path.home() / ".local" / "share") / "meshkin"


def test_folders_may_begin_with_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in (
        ("MESHKIN_HOME", storage.home),
        ("MESHKIN_MODELS", storage.models_folder),
        ("MESHKIN_CACHE", storage.cache_folder),
    ):
        monkeypatch.setenv(name, "~/meshkin of mine")
        assert folder() == Path.home() / "meshkin of mine"
