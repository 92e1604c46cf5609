"""Arrays that travel as files: NumPy only, both ends read and write them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...base.errors import StorageError
from ...base.storage import UNREADABLE, read_arrays, readable_failure, write_arrays

_ARRAYS, _RUN_AGAIN = "The arrays in", "Run the job again."
_NUMBERS = "biuf"
"""NumPy's kinds of arrays that are numbers: booleans, integers with and without a sign, floating numbers."""

Bundle = TypeVar("Bundle", bound="ArrayBundle")


@dataclass(frozen=True)
class ArrayBundle:
    """Arrays that lie together in one .npz file. A subclass is a dataclass whose fields are arrays.

    Attributes:
        layout: for each array, a letter or a digit for each axis: "V3" is V times 3. Axes with the same letter are
            equally long.
    """

    layout: ClassVar[dict[str, str]]

    def save(self, path: Path) -> Path:
        """Write the arrays to ``path`` and return it; raises StorageError, also if its folder is gone with its job."""
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)}, parents=False)
        return path

    @classmethod
    def load(cls: type[Bundle], path: Path, **lengths: int) -> Bundle:
        """The arrays that :meth:`save` wrote, with the lengths of the axes with these letters in :attr:`layout`.

        Raises StorageError ``file-damaged`` when one of them is missing, has another shape, or is not finite.
        """
        arrays = read_arrays(path, _ARRAYS, _RUN_AGAIN)
        known = dict(lengths)
        if arrays.keys() != {field.name for field in fields(cls)} or not all(
            _fits(values, cls.layout[name], known) and (values.dtype.kind != "f" or np.isfinite(values).all())
            for name, values in arrays.items()
        ):
            raise _damaged(path)
        return cls(**arrays)


def save_array(path: Path, values: NDArray[Any]) -> Path:
    """Write one array as a .npy file to ``path`` and return it; raises StorageError."""
    with readable_failure(path, "writing"):
        np.save(path, values, allow_pickle=False)
    return path


def load_array(path: Path, layout: str, **lengths: int) -> NDArray[Any]:
    """The array that :func:`save_array` wrote; ``layout`` and lengths as for :class:`ArrayBundle`.

    Raises StorageError ``file-damaged`` when it cannot be read or has another shape. Its numbers may be any: those of
    attributes and images are whatever people's files have.
    """
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise _damaged(path) from error
    if not _fits(values, layout, lengths):
        raise _damaged(path)
    return values


def _fits(values: NDArray[Any], layout: str, lengths: dict[str, int]) -> bool:
    """Whether an array holds numbers and has the shape of a layout; lengths that were not known are noted."""
    if values.ndim != len(layout) or values.dtype.kind not in _NUMBERS:
        return False
    for letter, length in zip(layout, values.shape, strict=True):
        if length != (int(letter) if letter.isdigit() else lengths.setdefault(letter, length)):
            return False
    return True


def _damaged(path: Path) -> StorageError:
    return StorageError("file-damaged", f"{_ARRAYS} {path} cannot be read.", _RUN_AGAIN)
