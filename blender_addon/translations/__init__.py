"""What the panels say in other languages. A text that is missing here is in English, or as Blender has it."""

from __future__ import annotations

from .german import GERMAN
from .german_sentences import GERMAN_SENTENCES
from .japanese import JAPANESE
from .japanese_sentences import JAPANESE_SENTENCES

SENTENCES = {"de_DE": GERMAN_SENTENCES, "ja_JP": JAPANESE_SENTENCES}
"""For each of Blender's locales, sentences of the library; {} stands for what is named in them."""
LANGUAGES = {"de_DE": GERMAN | GERMAN_SENTENCES, "ja_JP": JAPANESE | JAPANESE_SENTENCES}
"""For each of Blender's locales, the texts by what they are in English."""
OWN = "MeshKin"
"""The context of labels that Blender has, too, with another meaning (its “Look” is that of colors)."""
CONTEXTS = ("*", "Operator", OWN)
"""Blender's contexts: texts of properties and panels, and labels of operators; and MeshKin's own."""


def tables() -> dict[str, dict[tuple[str, str], str]]:
    """Return all texts as ``bpy.app.translations`` takes them."""
    return {
        locale: {(context, message): text for message, text in texts.items() for context in CONTEXTS}
        for locale, texts in LANGUAGES.items()
    }
