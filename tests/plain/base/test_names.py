"""Names as Blender cuts them, found again under the name that they got."""

from __future__ import annotations

from meshkin.base.names import MAX_NAME_BYTES, cut, cut_apart, key_of


def test_only_whole_characters_are_kept() -> None:
    assert cut("arm.L") == "arm.L"
    assert cut("x" * 80) == "x" * 63
    assert cut("é" * 40) == "é" * 31
    assert cut("手" * 40) == "手" * 21


def test_names_that_begin_alike_stay_apart() -> None:
    long = "Exported_Controller_" * 4
    names = [f"{long}{side}" for side in ("left", "right", "left")] + ["arm", long[:MAX_NAME_BYTES]]
    table = cut_apart(names)
    assert table["arm"] == "arm"
    assert table[long[:MAX_NAME_BYTES]] == long[:MAX_NAME_BYTES]
    assert len(set(table.values())) == 4
    assert all(len(name.encode()) <= MAX_NAME_BYTES for name in table.values())
    assert cut_apart(names) == table


def test_keys_of_names() -> None:
    assert key_of("UVMap") == "UVMap"
    long = "Körper" * 12
    assert len(key_of(long).encode()) <= MAX_NAME_BYTES
    assert key_of(long) == key_of(long) != key_of(f"{long} 2")
