"""The requests: each has its job, all of their fields have types that are checked, and Blender can load them."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from numpy.typing import NDArray

import meshkin
from helpers.worker_requests import Count, Counted, Sleep
from meshkin.base.errors import StorageError
from meshkin.base.json_data import Json
from meshkin.base.progress import ProgressCallback
from meshkin.data import recipe
from meshkin.worker import requests
from meshkin.worker.job import table
from meshkin.worker.jobs.table import JOBS
from meshkin.worker.requests.arrays import ArrayBundle, load_array, save_array
from meshkin.worker.requests.base import NoResult, Request, result_type

CORE = Path(meshkin.__file__).parent.parent
MODULES = [
    importlib.import_module(f"{requests.__name__}.{module.name}") for module in pkgutil.iter_modules(requests.__path__)
]
REQUESTS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, Request)
    and kind.__module__ == module.__name__
    and kind is not Request
]
SCALARS = (bool, int, float, str, Path, NoneType)
FREE = {(recipe.Part, "settings"), (recipe.FeatureChoice, "settings")}
"""Fields of any JSON data: an extractor's own settings, which the extractor checks."""


def types_within(kind: Any) -> Iterator[Any]:
    """The types that a field's type consists of."""
    if get_origin(kind) in (Union, UnionType, tuple, list, dict, Mapping):
        for argument in get_args(kind):
            if argument is not ...:
                yield from types_within(argument)
    else:
        yield kind


def check_fields(kind: type, outer: tuple[type, ...] = ()) -> None:
    """Every field is of a type that is checked when it arrives, at any depth; ``outer`` are checked already."""
    assert dataclasses.is_dataclass(kind)
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if (kind, field.name) in FREE:
            continue
        assert hints[field.name] is not Json
        for inner in types_within(hints[field.name]):
            if dataclasses.is_dataclass(inner) and isinstance(inner, type):
                if inner not in (kind, *outer):
                    check_fields(inner, (kind, *outer))
            else:
                assert inner in SCALARS or get_origin(inner) is Literal, f"{kind.__name__}.{field.name} is {inner}"


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.__name__)
def test_each_request_has_its_job_and_checked_fields(request_: type[Request[Any]]) -> None:
    assert JOBS[request_.job].request is request_
    check_fields(request_)
    check_fields(result_type(request_))


def test_each_job_has_its_request() -> None:
    assert {job.request for job in JOBS.values()} == set(REQUESTS)


def test_each_result_is_named_after_its_request() -> None:
    """Unless several requests share it."""
    requests_of: dict[type, list[str]] = {}
    for request_ in REQUESTS:
        requests_of.setdefault(result_type(request_), []).append(request_.__name__)
    shared = {result for result, names in requests_of.items() if len(names) > 1}
    assert {result.__name__ for result in shared} == {"MapFile", "PhotoMapFile", "CacheState", "NoResult"}
    assert {result.__name__ for result in requests_of.keys() - shared} == {
        f"{names[0]}Result" for result, names in requests_of.items() if result not in shared
    }


def test_requests_need_numpy_alone() -> None:
    """As Blender has it, and no library of the worker's."""
    names = ", ".join(module.__name__ for module in MODULES)
    code = f"import sys; sys.path[:0] = {[str(CORE), *sys.path]!r}; import {names}\n"
    code += "own = {'__main__', 'meshkin', 'numpy'} | sys.stdlib_module_names\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules} - own)"
    run = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def counted(request: Count, report: ProgressCallback) -> Counted:
    return Counted(request.steps)


def counted_otherwise(request: Sleep, report: ProgressCallback) -> Counted:
    return Counted(0)


def slept(request: Sleep, report: ProgressCallback) -> NoResult:
    return NoResult()


def test_a_function_that_does_not_fit_its_request_is_no_job() -> None:
    assert set(table(counted, slept)) == {"count", "sleep"}
    for functions in ((counted_otherwise,), (counted, counted)):
        with pytest.raises(TypeError, match=r"is no job of its own for (Sleep|Count)"):
            table(*functions)


@dataclasses.dataclass(frozen=True)
class Pair(ArrayBundle):
    layout: ClassVar[dict[str, str]] = {"first": "N3", "second": "M"}
    first: NDArray[np.float32]
    second: NDArray[np.int64]


def test_arrays_round_trip(tmp_path: Path) -> None:
    pair = Pair(np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(3))
    assert pair.save(tmp_path / "pair.npz") == tmp_path / "pair.npz"
    back = Pair.load(tmp_path / "pair.npz")
    for name in ("first", "second"):
        np.testing.assert_array_equal(getattr(back, name), getattr(pair, name))
        assert getattr(back, name).dtype == getattr(pair, name).dtype
    file = save_array(tmp_path / "first.npy", pair.first)
    np.testing.assert_array_equal(load_array(file, "N3", N=2), pair.first)


def test_arrays_that_cannot_be_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "half.npz", first=np.zeros(3))
    (tmp_path / "text.npz").write_text("no arrays")
    for name in ("half.npz", "text.npz", "nowhere.npz"):
        with pytest.raises(StorageError) as raised:
            Pair.load(tmp_path / name)
        assert raised.value.code == "file-damaged"
        assert name in raised.value.message
    with pytest.raises(StorageError, match=r"text\.npz"):
        load_array(tmp_path / "text.npz", "N")
    with pytest.raises(StorageError, match="nowhere"):
        save_array(tmp_path / "nowhere" / "x.npy", np.zeros(3))


@pytest.mark.parametrize("values", [np.zeros((5, 3)), np.zeros((4, 2)), np.zeros(4), np.full((4, 3), "x")])
def test_arrays_of_another_shape(values: NDArray[Any], tmp_path: Path) -> None:
    file = save_array(tmp_path / "x.npy", values)
    with pytest.raises(StorageError, match=r"x\.npy"):
        load_array(file, "V3", V=4)


BUNDLES = [bundle for bundle in ArrayBundle.__subclasses__() if bundle.__module__.startswith("meshkin.")]


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.__name__)
def test_every_array_of_a_result_has_its_shape_checked(bundle: type[Any], tmp_path: Path) -> None:
    """One row too many in any of the arrays, or in all of them, is an error before anything is written."""
    names = [field.name for field in dataclasses.fields(bundle)]
    right = {name: np.zeros([int(one) if one.isdigit() else 4 for one in bundle.layout[name]]) for name in names}
    bundle(**right).save(tmp_path / "right.npz")
    bundle.load(tmp_path / "right.npz")
    letter = next(one for one in "".join(bundle.layout.values()) if not one.isdigit())
    with pytest.raises(StorageError):
        bundle.load(tmp_path / "right.npz", **{letter: 5})
    for name in names:
        wrong = {**right, name: np.zeros((2, *right[name].shape))}
        bundle(**wrong).save(tmp_path / "wrong.npz")
        with pytest.raises(StorageError):
            bundle.load(tmp_path / "wrong.npz")
        infinite = {**right, name: np.full(right[name].shape, np.inf)}
        bundle(**infinite).save(tmp_path / "infinite.npz")
        with pytest.raises(StorageError):
            bundle.load(tmp_path / "infinite.npz")
