"""Write the manual's pages about panels, made from what the add-on registers in Blender.

    python packaging/manual/panel_pages.py        (a Python that has bpy)

Each panel is drawn once on a layout that only notes what is drawn; names, descriptions, defaults and choices are those
that Blender shows. A test compares the pages in the repository with what this writes.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

ROOT = Path(__file__).resolve().parents[2]
PAGES = Path(__file__).parent / "pages"
FOLDER = PAGES / "panels"
ADDON = "blender_addon"
NOTE = "<!-- Written by packaging/manual/panel_pages.py: change the add-on's texts instead, then run it. -->"
INTRODUCTION = (
    "After a job, the panel *Adjust Last Operation* at the bottom left of the viewport has the button's options. A",
    "change does the job again from the same match. Scripts call a button by its name in `bpy.ops`, with the same",
    "options.",
)
DECIMALS = 6
"""Decimal places that are shown: Blender stores single precision."""
ENDLESS = 1e9
"""From this number on, Blender's limits stand for none. Chosen below its integers' limit, 2 ** 31 - 1."""


class NotedLayout:
    """Stands for a layout of Blender and notes the properties and operators that a panel draws.

    Attributes:
        fields: (type's RNA, identifier of the property) of each field drawn.
        buttons: identifier of each operator drawn, such as ``meshkin.match``.
    """

    def __init__(self) -> None:
        self.fields: list[tuple[Any, str]] = []
        self.buttons: list[str] = []

    def prop(self, data: Any, name: str, **_: Any) -> None:
        entry = (data.bl_rna, name)
        if all(entry != other for other in self.fields):
            self.fields.append(entry)

    def prop_search(self, data: Any, name: str, *_: Any, **__: Any) -> None:
        self.prop(data, name)

    def operator(self, name: str, **_: Any) -> SimpleNamespace:
        if name not in self.buttons:
            self.buttons.append(name)
        return SimpleNamespace()

    def panel(self, *_: Any, **__: Any) -> tuple[NotedLayout, NotedLayout]:
        return self, self

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self  # rows, columns, labels, separators …


class SidebarContext:
    """Blender's context as a panel of a sidebar sees it, also without a window."""

    region = SimpleNamespace(width=300)

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def main() -> int:
    """Write all pages and remove those of panels that are no more; returns the exit code."""
    sys.path[:0] = [str(ROOT), str(ROOT / "core")]
    importlib.import_module("addon_utils").enable(ADDON, default_set=True)
    pages = made()
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    print(f"Wrote {len(pages)} pages to {FOLDER}")
    return 0


def made() -> dict[str, str]:
    """Return the text of each page by its file's name; the add-on must be enabled."""
    stage()
    classes = importlib.import_module(ADDON).CLASSES
    panels = [cls for cls in classes if getattr(cls, "bl_region_type", "") == "UI"]  # without what only pops up
    panels += [cls for cls in classes if issubclass(cls, bpy.types.AddonPreferences)]
    operators = [cls for cls in classes if issubclass(cls, bpy.types.Operator)]
    pages = {f"{page_name(panel)}.md": panel_page(panel) for panel in panels}
    return {**pages, "buttons.md": buttons_page(operators)}


def stage() -> None:
    """Make a scene in which as much as possible is drawn: a source with two materials, and a target."""
    objects = []
    for name in ("Source", "Target"):
        mesh = bpy.data.meshes.new(name)
        for part in ("Skin", "Cloth"):
            mesh.materials.append(bpy.data.materials.new(part))
        objects.append(bpy.data.objects.new(name, mesh))
        bpy.context.scene.collection.objects.link(objects[-1])
    settings = bpy.context.scene.meshkin
    settings.source, settings.target = objects
    settings.dataset_look = "painted"


def drawn(panel: Any) -> NotedLayout:
    """Return what a panel draws, whichever features are chosen: some fields belong to some features only."""
    layout = NotedLayout()
    settings = bpy.context.scene.meshkin
    chosen = settings.features
    preferences = bpy.context.preferences.addons[ADDON].preferences
    for item in settings.bl_rna.properties["features"].enum_items:
        settings.features = item.identifier
        if issubclass(panel, bpy.types.AddonPreferences):
            panel.draw(NotedSelf(preferences, layout), SidebarContext())
        else:
            panel.draw(SimpleNamespace(layout=layout), SidebarContext())
    settings.features = chosen
    return layout


class NotedSelf:
    """Preferences whose layout notes what is drawn."""

    def __init__(self, preferences: Any, layout: NotedLayout) -> None:
        self.preferences, self.layout = preferences, layout

    def __getattr__(self, name: str) -> Any:
        return getattr(self.preferences, name)


def page_name(panel: type) -> str:
    """Return the name of a panel's page, without suffix: ``match`` for MESHKIN_PT_match."""
    return panel.__name__.partition("_PT_")[2] or panel.__name__.lower()


def panel_page(panel: Any) -> str:
    """Return the page of one panel: its buttons and its fields, as Blender describes them."""
    layout = drawn(panel)
    title = getattr(panel, "bl_label", "Preferences")
    parent = getattr(bpy.types, getattr(panel, "bl_parent_id", ""), None)
    place = f"In the panel *{parent.bl_label}*. " if parent else ""
    lines = [f"# {'The Main Panel' if title == 'MeshKin' else title}", "", place + sentence(panel.__doc__)]
    name = page_name(panel)
    if (PAGES / "pictures" / f"panel-{name}.png").exists():
        lines += ["", f"![The panel {title}](../pictures/panel-{name}.png)"]
    own = [button for button in layout.buttons if button.startswith("meshkin.")]
    if own:
        lines += ["", "## Buttons", ""]
        lines += [f"- {button_line(button)}" for button in own]
    fields = [rna.properties[name] for rna, name in layout.fields]
    if fields:
        lines += ["", "## Fields", "", *table(fields)]
    return "\n".join([*lines, "", NOTE]) + "\n"


def buttons_page(operators: Iterable[Any]) -> str:
    """Return the page of all buttons, with the options that their redo panels and scripts have."""
    lines = ["# All Buttons and Their Options", "", *INTRODUCTION]
    for cls in sorted(operators, key=lambda cls: cls.bl_label):
        if "INTERNAL" in getattr(cls, "bl_options", ()):
            continue
        rna = described(cls.bl_idname)
        lines += ["", f"## {rna.name}", "", f"`bpy.ops.{cls.bl_idname}()`: {sentence(rna.description)}"]
        if fields := options(rna):
            lines += ["", *table(fields)]
    return "\n".join([*lines, "", NOTE]) + "\n"


def described(name: str) -> Any:
    """Return what Blender knows about an operator, such as ``meshkin.match``."""
    return getattr(bpy.ops.meshkin, name.partition(".")[2]).get_rna_type()


def options(rna: Any) -> list[Any]:
    """Return the properties of an operator that people may set."""
    return [prop for prop in rna.properties if prop.identifier != "rna_type" and not prop.is_hidden]


def button_line(name: str) -> str:
    """Return a button's name and description, with a link to its options."""
    rna = described(name)
    link = f" ([options](buttons.md#{anchor(rna.name)}))" if options(rna) else ""
    return f"**{rna.name}**{link}: {sentence(rna.description)}"


def anchor(heading: str) -> str:
    """Return what a link to a heading needs, as the manual's builder makes it."""
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def table(fields: Iterable[Any]) -> list[str]:
    """Return the lines of a table of properties."""
    rows = [f"| {prop.name} | {cell(sentence(prop.description))}{choices(prop)} | {value(prop)} |" for prop in fields]
    return ["| field | what it does | default |", "|---|---|---|", *rows]


def choices(prop: Any) -> str:
    """Return the choices of an enumeration as further lines of a cell."""
    if prop.type != "ENUM":
        return ""
    return "".join(
        f"<br>**{cell(item.name)}**{f': {cell(item.description)}' if item.description else ''}"
        for item in prop.enum_items
    )


def value(prop: Any) -> str:
    """Return a property's default and range, as the interface shows them."""
    if prop.type == "ENUM":
        names = {item.identifier: item.name for item in prop.enum_items}
        chosen = [names[key] for key in names if key in prop.default_flag] if prop.is_enum_flag else [prop.default]
        return ", ".join(names.get(key, key) for key in chosen) or "none"
    if prop.type == "BOOLEAN":
        return "on" if prop.default else "off"
    if prop.type in {"INT", "FLOAT"}:
        least, most = (number(limit) for limit in (prop.hard_min, prop.hard_max))
        limits = f"{least} to {most}" if least and most else f"at least {least}" if least else ""
        return number(prop.default) + (f" ({limits})" if limits else "")
    if prop.type == "STRING":
        return cell(prop.default) or "empty"
    return "none"


def number(given: float) -> str:
    """Return a number as text; "" for Blender's stand-ins for no limit."""
    return "" if abs(given) >= ENDLESS else f"{round(given, DECIMALS):g}"


def sentence(text: str | None) -> str:
    """Return a tooltip as a sentence."""
    joined = " ".join((text or "").split())
    return joined if joined.endswith((".", "?", "!")) or not joined else f"{joined}."


def cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.exit(main())
