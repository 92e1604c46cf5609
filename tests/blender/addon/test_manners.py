"""Blender's manners: translations, presets, reasons of gray buttons, units of fields."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
from pathlib import Path
from types import ModuleType

import bpy
import pytest

from helpers.places import CORE, ROOT
from meshkin.base.errors import InputError
from meshkin.workflow import Report
from meshkin.workflow.options import ResultWarning


def texts_of_the_interface(addon: ModuleType) -> set[str]:
    """Labels and names of everything that is registered, and every text in the code that draws or tells progress."""
    texts = {getattr(cls, "bl_label", "") for cls in addon.CLASSES}
    for cls in addon.CLASSES:
        for item in cls.bl_rna.properties:
            texts |= {item.name, *(choice.name for choice in getattr(item, "enum_items", ()))}
    files = [*(ROOT / "blender_addon").rglob("*.py"), *(CORE / "meshkin").rglob("*.py")]
    for file in files:
        if "translations" not in file.parts:
            for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.add(node.value)
                elif isinstance(node, ast.JoinedStr):  # “{}” stands for what is put in
                    texts.add(
                        "".join(
                            getattr(part, "value", "") if isinstance(part, ast.Constant) else "{}"
                            for part in node.values
                        )
                    )
    return texts | {text.capitalize() for text in texts}


def test_what_is_translated_is_in_the_interface(addon: ModuleType) -> None:
    """A renamed button needs its new name in ``blender_addon/translations``, too."""
    languages = importlib.import_module("blender_addon.translations").LANGUAGES
    texts = texts_of_the_interface(addon)
    for language, messages in languages.items():
        assert set(messages) <= texts, language
        for message, text in messages.items():
            assert text.count("{") == message.count("{")
            assert text.strip()
    german, japanese = languages["de_DE"], languages["ja_JP"]
    assert set(german) == set(japanese)
    buttons = {cls.bl_label for cls in addon.CLASSES if issubclass(cls, bpy.types.Operator)}
    assert len(buttons - set(german)) < len(buttons) / 4


def test_sentences_of_the_library_are_told_in_the_users_language(
    addon: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors with fixes, titles, warnings and reasons; what they name stays, and so does what nobody translated.

    Blender as a module has no languages: the tables stand for them.
    """
    text, driver = (importlib.import_module(f"blender_addon.base.{name}") for name in ("text", "driver"))
    german = importlib.import_module("blender_addon.translations").LANGUAGES["de_DE"]
    monkeypatch.setattr(text, "_locale", lambda: "de_DE")
    for module in (text, driver):
        monkeypatch.setattr(module, "translated", lambda message: german.get(message, message))
    assert text.told("“Cube (1)” has no UV map.") == "„Cube (1)“ hat keine UV-Map."
    assert text.told("“hair” gave “texture” its texture, weights and armature.") == (
        "„hair“ hat auf „texture“ übertragen: Textur, Gewichtungen, Skelett."
    )
    assert text.told("Not carried: shape keys. “a” has no shape keys. Choose a source that has some.") == (
        "Nicht übertragen: Formschlüssel. „a“ hat keine Formschlüssel. Bitte eine Quelle wählen, die welche hat."
    )
    assert text.told("Pick a source object first") == "Zuerst wählen: Quelle"
    assert text.told("Nobody has translated this.") == "Nobody has translated this."
    assert text.told_stage("Waiting in place 12 of the queue") == "Wartet an Stelle 12 der Schlange"
    assert text.told_stage("Starting the worker") == "Der Rechenprozess startet"
    assert text.told_stage("Reading {0} of 3") == "Reading {0} of 3"
    failure = driver._failure("Transfer", InputError("no-uvs", "“Cube” has no UV map.", "Press Match first."))
    assert failure == "„Cube“ hat keine UV-Map. Zuerst „Zuordnen“ drücken."
    report = Report("“a” is up to date with “b”.", [], {}, [ResultWarning("code", "Look.")] * 2)
    assert driver._summary(report) == "„a“ ist auf dem Stand von „b“, mit 2 Warnungen."


def test_every_gray_button_says_why(addon: ModuleType) -> None:
    explained = importlib.import_module("blender_addon.base.operators").Explained
    presets = importlib.import_module("blender_addon.main.presets")
    for cls in addon.CLASSES:
        if issubclass(cls, bpy.types.Operator) and cls is not presets.MESHKIN_OT_add_preset:
            assert issubclass(cls, explained), cls.__name__
            assert inspect.getdoc(cls)
            reason = cls.why_not(bpy.context)
            assert not reason.endswith("."), f"{cls.__name__}: Blender adds the full stop"


def test_options_can_be_kept_as_a_preset(addon: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "presets" / "meshkin" / "options"
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_, **__: str(folder))
    monkeypatch.setattr(bpy.utils, "preset_paths", lambda _: [str(folder)])
    folder.mkdir(parents=True)
    settings = bpy.context.scene.meshkin
    settings.kinds, settings.texture_size, settings.features, settings.rename = {"weights"}, 4096, "geometric", "a = b"
    assert bpy.ops.meshkin.add_preset(name="Large") == {"FINISHED"}
    (file,) = folder.glob("*.py")
    settings.kinds, settings.texture_size, settings.features, settings.rename = {"motion"}, 256, "auto", ""
    menu = importlib.import_module("blender_addon.main.presets").MESHKIN_PT_presets.bl_idname
    assert bpy.ops.script.execute_preset(filepath=str(file), menu_idname=menu) == {"FINISHED"}
    assert (set(settings.kinds), settings.texture_size) == ({"weights"}, 4096)
    assert (settings.features, settings.rename) == ("geometric", "a = b")


def test_untouched_limits_leave_what_blender_was_started_with(
    addon: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 means unlimited, as in Blender's own preferences."""
    chosen = bpy.context.preferences.addons["blender_addon"].preferences
    preferences = importlib.import_module("blender_addon.base.preferences")
    monkeypatch.setitem(preferences._inherited, "MESHKIN_CACHE_LIMIT", "123")
    preferences.apply(bpy.context)
    assert os.environ["MESHKIN_CACHE_LIMIT"] == "123"
    chosen.cache_limit = chosen.idle_seconds = 0
    preferences.apply(bpy.context)
    assert (os.environ["MESHKIN_CACHE_LIMIT"], os.environ["MESHKIN_IDLE_SECONDS"]) == ("0", "0")
    for name in ("cache_limit", "idle_seconds"):
        assert "(0 means unlimited)" in chosen.bl_rna.properties[name].description


def test_the_proxy_and_certificates_of_the_preferences_reach_downloads(addon: ModuleType, tmp_path: Path) -> None:
    from meshkin.base import network

    (tmp_path / "company.pem").write_text("")
    chosen = bpy.context.preferences.addons["blender_addon"].preferences
    chosen.proxy, chosen.certificates = "proxy.company.example:8080", str(tmp_path / "company.pem")
    importlib.import_module("blender_addon.base.preferences").apply(bpy.context)
    told = network.variables()
    assert told["HTTPS_PROXY"] == told["PIP_PROXY"] == "http://proxy.company.example:8080"
    assert told["PIP_CERT"] == told["SSL_CERT_FILE"] == told["REQUESTS_CA_BUNDLE"] == str(tmp_path / "company.pem")


def test_the_first_minutes_lead_by_the_hand(addon: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each missing thing has its reason and its button: permission, worker, models, characters."""
    status = importlib.import_module("blender_addon.base.status")
    panel = importlib.import_module("blender_addon.main.panel")
    guide = importlib.import_module("blender_addon.upkeep.guide")
    app = type("App", (), {"online_access": False, "online_access_override": False})()
    monkeypatch.setattr(guide, "bpy", type("Blender", (), {"app": app}))
    for name, value in {
        "known": True,
        "worker": "",
        "worker_missing": "The worker is not set up",
        "model": False,
    }.items():
        monkeypatch.setattr(status, name, value)
    monkeypatch.setattr(status, "worker_chosen", False)
    assert panel.next_step(bpy.context).operators == ("meshkin.allow_online",)
    app.online_access_override = True
    hint = panel.next_step(bpy.context)
    assert "--offline-mode" in hint.text
    assert hint.preferences
    monkeypatch.setattr(status, "offline_folder", str(tmp_path))
    assert panel.next_step(bpy.context).operators == ("meshkin.set_up",)
    monkeypatch.setattr(status, "worker_missing", "")
    assert panel.next_step(bpy.context).operators == ("meshkin.get_model", "meshkin.try_it")
    monkeypatch.setattr(status, "model", True)
    assert panel.next_step(bpy.context).operators == ("meshkin.pick", "meshkin.try_it")
