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

Bundle = TypeVar("Bundle", bound="ArrayBundle")


@dataclass(frozen=True)
class ArrayBundle:
    """Arrays that lie together in one .npz file. A subclass is a dataclass whose fields are arrays.

    Attributes:
        layout: for some of the arrays, a letter or a digit for each axis: "V3" is V times 3.
    """

    layout: ClassVar[dict[str, str]] = {}

    def save(self, path: Path) -> Path:
        """Write the arrays to ``path`` and return it; raises StorageError, also if its folder is gone with its job."""
        write_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)}, parents=False)
        return path

    @classmethod
    def load(cls: type[Bundle], path: Path) -> Bundle:
        """The arrays that :meth:`save` wrote.

        Raises StorageError ``file-damaged`` when one of them is missing, has another shape, or is not finite.
        """
        arrays = read_arrays(path, _ARRAYS, _RUN_AGAIN)
        if arrays.keys() != {field.name for field in fields(cls)} or not cls._is_possible(arrays):
            raise _damaged(path)
        return cls(**arrays)

    @classmethod
    def _is_possible(cls, arrays: dict[str, NDArray[Any]]) -> bool:
        """Whether all floating numbers are finite, and the axes with one letter in :attr:`layout` equally long."""
        lengths: dict[str, int] = {}
        for name, letters in cls.layout.items():
            shape = arrays[name].shape
            if len(shape) != len(letters):
                return False
            for letter, length in zip(letters, shape, strict=True):
                if length != (int(letter) if letter.isdigit() else lengths.setdefault(letter, length)):
                    return False
        return all(np.isfinite(values).all() for values in arrays.values() if values.dtype.kind == "f")


def save_array(path: Path, values: NDArray[Any]) -> Path:
    """Write one array as a .npy file to ``path`` and return it; raises StorageError."""
    with readable_failure(path, "writing"):
        np.save(path, values, allow_pickle=False)
    return path


def load_array(path: Path) -> NDArray[Any]:
    """The array that :func:`save_array` wrote; raises StorageError ``file-damaged`` when it cannot be read."""
    try:
        values: NDArray[Any] = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise _damaged(path) from error
    return values


def _damaged(path: Path) -> StorageError:
    return StorageError("file-damaged", f"{_ARRAYS} {path} cannot be read.", _RUN_AGAIN)
