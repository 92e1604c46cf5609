"""Prompts of painted pictures: sentences with gaps, and the words that may stand in them, drawn by a seed.

A gap is ``{name}``; ``{name?}`` is left empty every second time. ``{class}`` is the class of the object that takes most
of the picture, ``{others}`` the other ones beside it.

Words come from a file: a table (CSV) whose columns are the gaps' names, and whose column ``class`` says for which class
a line is, empty for all. A column ``prompt`` has whole sentences, a column ``called`` what the class is called. Any
other file has one sentence in each line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..base.errors import InputError
from ..base.storage import readable_failure
from .record import PictureRecord, SetRecord
from .sampling import generator

WORDS = {
    "style": ("professional", "candid", "documentary", "grainy film", "high resolution", "overexposed", "telephoto"),
    "color": ("red", "blue", "green", "white", "black", "gray", "brown", "yellow", "orange", "colorful"),
    "place": (
        *("in a forest", "on a meadow", "on a beach", "in the mountains", "in a desert", "in the snow", "by a river"),
        *(
            "in a city street",
            "in a living room",
            "in a kitchen",
            "in a workshop",
            "in an empty hall",
            "on a parking lot",
        ),
        *("in a park", "on a stage", "in front of a brick wall", "in a studio"),
    ),
    "light": (
        *("in soft daylight", "at noon", "at sunset", "at dawn", "under a cloudy sky", "in the rain", "at night"),
        *("in backlight", "lit by a flash", "in warm lamp light", "in neon light", "in fog"),
    ),
}
"""Words of the gaps where no file says others. Chosen."""
OTHERS = 3
"""Other classes that a prompt names at most. Chosen: text encoders forget longer lists."""
_SLOT = re.compile(r"\{(\w+)(\?)?\}")
_CLASS, _CALLED, _PROMPT = "class", "called", "prompt"
"""Columns of a table that mean something of their own."""


@dataclass(frozen=True)
class Prompts:
    """What prompts are made of.

    Attributes:
        sentence: with gaps.
        words: for each class ("" for all) the words of each gap.
    """

    sentence: str
    words: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    @staticmethod
    def of(sentence: str, file: Path | None) -> Prompts:
        """Prompts of a sentence, and of a file where there is one.

        Raises InputError ``words-missing``, ``words-wrong`` where a gap has no words or a table has no line,
        StorageError.
        """
        words = _read(file) if file else {}
        prompts = Prompts(sentence, words)
        known = {*WORDS, _CLASS, "others"}.union(*(own.keys() for own in words.values()))
        sentences = [sentence, *(each for own in words.values() for each in own.get(_PROMPT, ()))]
        for gap in (name for each in sentences for name, _ in _SLOT.findall(each)):
            if gap not in known:
                raise InputError("words-wrong", f"There are no words for {{{gap}}}.", "Give them in the file of words.")
        return prompts

    def classes(self) -> set[str]:
        """The classes that have words of their own."""
        return set(self.words) - {""}

    def prompt(self, record: PictureRecord, data: SetRecord, seed: int) -> str:
        """The prompt of a picture: the same for a seed and a number, whatever was painted before."""
        categories = _seen(record, data)
        main = categories[0] if categories else "scene"
        number = record.number
        (sentence,) = self._drawn(main, _PROMPT, number, seed) or (self.sentence,)
        called = [(self._drawn(name, _CALLED, number, seed) or (plain(name),))[0] for name in categories]

        def fill(gap: re.Match[str]) -> str:
            name, is_optional = gap.groups()
            if is_optional and generator(seed, number, f"gap {name}").random() < 1 / 2:
                return ""
            if name == _CLASS:
                return called[0] if called else plain(main)
            if name == "others":
                return "beside " + " and ".join(f"a {each}" for each in called[1 : 1 + OTHERS]) if called[1:] else ""
            return (self._drawn(main, name, number, seed) or ("",))[0]

        return _tidy(_SLOT.sub(fill, sentence))

    def _drawn(self, category: str, gap: str, number: int, seed: int) -> tuple[str, ...]:
        """The word of a gap for a picture, or nothing: all words come before one comes again."""
        own = self.words.get(category, {}).get(gap) or self.words.get("", {}).get(gap) or WORDS.get(gap, ())
        if not own:
            return ()
        turn, place = divmod(number, len(own))
        return (own[int(generator(seed, turn, f"words {gap}").permutation(len(own))[place])],)


def plain(category: str) -> str:
    """A class as words: ``Human_female-01`` is a human female 01."""
    return re.sub(r"[\W_]+", " ", category).strip().lower()


def _seen(record: PictureRecord, data: SetRecord) -> list[str]:
    """The classes in a picture, that of which most is seen first."""
    pixels: dict[str, int] = {}
    for instance in record.instances:
        if instance.pixels[0]:
            category = data.model(instance.model).category
            pixels[category] = pixels.get(category, 0) + instance.pixels[0]
    return sorted(pixels, key=lambda category: (-pixels[category], category))


def _tidy(sentence: str) -> str:
    """A sentence without the traces of empty gaps, with "an" where it belongs."""
    sentence = re.sub(r"\s+", " ", sentence)
    sentence = re.sub(r"\s*,(\s*,)+", ",", re.sub(r"\s+,", ",", sentence))
    sentence = re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", sentence)
    sentence = re.sub(r"\b([Aa])n (?=[^aeiouAEIOU\W])", r"\1 ", sentence)
    return sentence.strip(" ,")


def _read(file: Path) -> dict[str, dict[str, list[str]]]:
    """The words of a file, by class and gap."""
    if not file.is_file():
        raise InputError("words-missing", f"There is no file {file}.", "Choose another file of words.")
    with readable_failure(file, "reading"):
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    if file.suffix.lower() != ".csv":
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        if not lines:
            raise InputError("words-wrong", f"{file} is empty.", "Write a prompt in each line.")
        return {"": {_PROMPT: lines}}
    table = csv.DictReader(text.splitlines())
    words: dict[str, dict[str, list[str]]] = {}
    for row in table:
        own = words.setdefault((row.get(_CLASS) or "").strip(), {})
        for gap, word in row.items():
            if gap and gap != _CLASS and isinstance(word, str) and word.strip():
                own.setdefault(gap.strip(), []).append(word.strip())
    if not any(words.values()):
        raise InputError(
            "words-wrong", f"{file} has no words.", "Its first line names the gaps, the others have a word for each."
        )
    return words
