"""NumPy arrays of the properties of Blender's collections, read at once by ``foreach_get``."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray


def read_floats(collection: bpy.types.bpy_prop_collection, name: str, width: int) -> NDArray[np.float32]:
    """A property of ``width`` numbers of each element, float32 (N, width)."""
    values = np.empty(len(collection) * width, np.float32)
    collection.foreach_get(name, values)
    return values.reshape(-1, width)


def read_integers(collection: bpy.types.bpy_prop_collection, name: str, width: int = 1) -> NDArray[np.int32]:
    """An integer property of each element: int32 (N,), or (N, width) for a width above 1."""
    values = np.empty(len(collection) * width, np.int32)
    collection.foreach_get(name, values)
    return values.reshape(-1, width) if width > 1 else values


def read_booleans(collection: bpy.types.bpy_prop_collection, name: str) -> NDArray[np.bool_]:
    """A boolean property of each element, bool (N,)."""
    values = np.empty(len(collection), bool)
    collection.foreach_get(name, values)
    return values


def write_vectors(collection: bpy.types.bpy_prop_collection, name: str, values: NDArray[np.floating]) -> None:
    """Set a property of several numbers of each element from (N, width)."""
    collection.foreach_set(name, np.ascontiguousarray(values, np.float32).ravel())
