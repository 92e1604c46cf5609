"""Names of objects that are no names of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.creatures import creature
from helpers.places import Place
from meshkin import workflow
from meshkin.base.progress import finish
from meshkin.base.storage import file_name

HOSTILE = (
    *("../../x", "/abs", "..", ".", "...", "a/b", "a\\b", "C:\\x", "C:x", "~", "~root", "con", "NUL", "com1.png"),
    *("x\ny", "x\ty", "a:b", 'a"b', "<UDIM>", "a|b", "a?b", "a*b", " ", "x ", "x.", ".hidden", "\u202etxt", "日本語"),
    *("x" * 63, "日" * 21, "$(touch x)", "`x`", "-rf", "%s%n", "a;b", "café", "cafe\u0301"),
)


def test_names_become_names_of_files_in_one_way() -> None:
    names = [file_name(name) for name in HOSTILE]
    assert len({name.lower() for name in names}) == len(HOSTILE)
    for name in names:
        assert Path("folder", name).parent == Path("folder")
        assert not set(name) & set('<>:"/\\|?*\n\t')
        assert name not in ("", ".", "..")
        assert not name.startswith((".", " "))
        assert not name.endswith((".", " "))
        assert len(name.encode()) < 140
    assert file_name("Old Lion.003") == "Old Lion.003"
    assert len(file_name("é" * 5000).encode()) < 140
    assert file_name("\ud800") != file_name("\udfff")


@pytest.mark.parametrize("name", ["../../x", "/abs", "..", "a/b", "<UDIM>", "x" * 63])
def test_pictures_stay_in_their_folder(place: Place, name: str, small_model: str) -> None:
    obj = creature("one", subdivisions=2)
    obj.name = name
    folder = place.work / "a" / "pictures"
    options = workflow.Options(
        workflow.FeatureOptions("dinov2", model=small_model, layers=(2,), views=2, resolution=112, pictures=str(folder))
    )
    finish(workflow.pictures([obj], options))
    finish(workflow.features([obj], options))
    files = [file.relative_to(place.work) for file in place.work.rglob("*") if file.is_file()]
    assert len(files) == 7
    assert {file.parts[:2] for file in files} == {("a", "pictures")}
