"""The manual's pages about panels say what the add-on registers."""

from __future__ import annotations

from types import ModuleType

import bpy

import panel_pages


def test_pages_about_panels_are_up_to_date(addon: ModuleType) -> None:
    pages = panel_pages.made()
    kept = {path.name: path.read_text(encoding="utf-8") for path in panel_pages.FOLDER.glob("*.md")}
    how = "run `python packaging/run.py manual`"
    assert sorted(pages) == sorted(kept), how
    assert [name for name in pages if pages[name] != kept[name]] == [], how


def test_every_field_and_button_is_on_a_page(addon: ModuleType) -> None:
    """However panels draw: each setting of the scene and each button is described."""
    text = "".join(panel_pages.made().values())
    for prop in bpy.types.Scene.bl_rna.properties["meshkin"].fixed_type.properties:
        if prop.identifier not in {"rna_type", "name"} and not prop.is_hidden:
            assert f"| {prop.name} |" in text, prop.identifier
    for cls in addon.CLASSES:
        if issubclass(cls, bpy.types.Operator) and "INTERNAL" not in getattr(cls, "bl_options", ()):
            assert f"`bpy.ops.{cls.bl_idname}()`" in text
