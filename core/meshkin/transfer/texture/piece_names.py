"""What the names of materials say about whether pieces belong together."""

from __future__ import annotations

import re

import numpy as np

from ...geometry.arrays import Floats

SAME_KIND, SAME_NAME, OTHER_KIND = 0.5, 0.25, -0.1
"""What names add to the overlap: words of one kind, equal names, words of different kinds. Chosen: one kind is enough
by itself, equal names (often of colors) need a quarter of overlap as well, and a clear overlap outdoes other words."""
KINDS = {
    "brow": ("brow", "brows", "eyebrow", "eyebrows"),
    "lash": ("lash", "lashes", "eyelash", "eyelashes"),
    "eye": ("eye", "eyes", "eyeball", "eyeballs", "iris", "pupil", "pupils", "cornea", "sclera"),
    "hair": ("hair", "hairs", "haircut", "ponytail", "bangs", "braid", "braids"),
    "beard": ("beard", "moustache", "mustache"),
    "mouth": ("teeth", "tooth", "tongue", "gum", "gums"),
    "skin": ("skin",),
    "nail": ("nail", "nails", "fingernails", "toenails"),
}
"""Words of one meaning in the names of materials; the first kind that a name has a word of counts."""


def alike_by_name(names: list[str], others: list[str]) -> Floats:
    """What the names of materials or kinds, (A,) and (B,), say about whether they belong together: (A, B)."""
    alike = np.zeros((len(names), len(others)))
    for row, name in enumerate(names):
        for column, other in enumerate(others):
            kind, other_kind = kind_of(name), kind_of(other)
            if kind and other_kind:
                alike[row, column] = SAME_KIND if kind == other_kind else OTHER_KIND
            elif name and _plain(name) == _plain(other):
                alike[row, column] = SAME_NAME
    return alike


def kind_of(name: str) -> str:
    """What a material is of, by the words in its name: a key of :data:`KINDS`, or ""."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return next((kind for kind, known in KINDS.items() if words & {kind, *known}), "")


def _plain(name: str) -> str:
    """A name without the number that Blender adds to it."""
    return re.sub(r"\.\d+$", "", name).lower()
