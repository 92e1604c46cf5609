"""Families, which need the worker: learned by a press, stopped, gone on with, and chosen as features."""

from __future__ import annotations

import importlib
import shutil

import bpy

from .hands import Wait, button, driver, ended, picture, press, show_sidebar, until

LEARNING = "Learning the family"
"""What is being done once the network learns."""
MANY, FEW = 20_000, 30
"""Steps that take too long, and steps that are soon done."""


def _creatures() -> Wait:
    """Two shapes in a collection that is picked, described by their geometry."""
    from helpers.creatures import symmetric_creature

    bpy.ops.wm.read_homefile(use_factory_startup=False)
    yield 0.5
    together = bpy.data.collections.new("Window Check")
    bpy.context.scene.collection.children.link(together)
    for number in range(2):
        obj = symmetric_creature(f"creature {number}", 1 + 0.2 * number)
        for collection in obj.users_collection:
            collection.objects.unlink(obj)
        together.objects.link(obj)
    settings = bpy.context.scene.meshkin
    settings.features, settings.family_collection, settings.family_steps = "geometric", together, MANY
    bpy.ops.ed.undo_push(message="Creatures")


def _learning_stopped() -> Wait:
    """Learn until the network has learned a while, and press Esc."""
    assert button("learn_family") == {"RUNNING_MODAL"}
    yield from until(lambda: driver.running is None or driver.running.stage.startswith(LEARNING), 120)
    assert driver.running is not None, driver.outcome
    yield 3.0
    press("ESC")
    yield from until(lambda: driver.running is None)
    assert "cancelled" in driver.outcome.title, driver.outcome


def a_family_is_learned_and_used() -> Wait:
    """Esc stops it, and nothing is kept; it goes on, or with fewer steps to its end; then it is what features are."""
    record = importlib.import_module("meshkin.families.record")
    yield from _creatures()
    for _ in range(2):
        yield from _learning_stopped()
        assert "Window Check" not in [family.name for family in record.listing()]
    settings = bpy.context.scene.meshkin
    settings.family_steps = FEW
    assert button("learn_family") == {"RUNNING_MODAL"}
    yield from ended()
    assert not driver.outcome.failed, driver.outcome
    try:
        (family,) = (each for each in record.listing() if each.name == "Window Check")
        assert [member.name for member in family.members] == ["creature 0", "creature 1"]
        yield from show_sidebar()
        assert button("use_family", name="Window Check") == {"FINISHED"}
        assert (settings.features, settings.settings) == ("family", "family=Window Check")
        picture("family")
        settings.source, settings.target = (bpy.data.objects[f"creature {number}"] for number in range(2))
        assert button("features") == {"RUNNING_MODAL"}
        yield from ended()
        assert not driver.outcome.failed, driver.outcome
        assert button("use_family", name="Window Check") == {"FINISHED"}
        assert not settings.is_property_set("features")
    finally:
        shutil.rmtree(importlib.import_module("meshkin.models.storing").named_folder("Window Check"))


CHECKS = (a_family_is_learned_and_used,)
