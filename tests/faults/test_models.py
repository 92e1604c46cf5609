"""Models and pictures that are not what they say they are."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.creatures import creature
from helpers.main_job import GEOMETRIC
from helpers.outcomes import Outcomes, few
from helpers.places import Place
from meshkin import workflow
from meshkin.base.errors import InputError, MeshKinError
from meshkin.base.png import png_bytes
from meshkin.base.progress import finish

Change = Callable[[Path], object]
"""Damages the model in a folder."""


def header_of(content: bytes) -> tuple[dict[str, Any], bytes]:
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def header(change: Callable[[dict[str, Any]], object]) -> Change:
    """The header of the weights is changed, and the numbers stay."""

    def damage(folder: Path) -> None:
        path = folder / "model.safetensors"
        data, numbers = header_of(path.read_bytes())
        data.pop("__metadata__", None)
        change(data)
        text = json.dumps(data).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)

    return damage


def first(**values: Any) -> Change:
    """Entries of the first tensor are changed."""
    return header(lambda data: next(iter(data.values())).update(values))


def numbers(value: float, share: float = 1.0) -> Change:
    """That share of the weights becomes this number."""

    def damage(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        start = 8 + struct.unpack("<Q", content[:8])[0]
        weights = np.frombuffer(content[start:], "<f4").copy()
        weights[: int(share * len(weights))] = value
        path.write_bytes(content[:start] + weights.tobytes())

    return damage


def config(**values: Any) -> Change:
    """Entries of config.json are changed, or taken away if they are None."""

    def damage(folder: Path) -> None:
        data = json.loads((folder / "config.json").read_text())
        for name, value in values.items():
            data.pop(name, None)
            if value is not None:
                data[name] = value
        (folder / "config.json").write_text(json.dumps(data))

    return damage


def file(name: str, content: bytes | None) -> Change:
    """A file holds something else, or is not there."""

    def damage(folder: Path) -> None:
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)

    return damage


def cut(name: str, share: float) -> Change:
    def damage(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: int(share * len(content))])

    return damage


WEIGHTS, CONFIG = "model.safetensors", "config.json"
_TYPES: tuple[Any, ...] = ("bert", "../x", 7, [])
MODELS: dict[str, Change] = {
    **{f"{kind} as type": first(dtype=kind) for kind in ("F64", "F16", "U8", "X99", "", 7, None)},
    **{f"shape {shape}": first(shape=shape) for shape in ([1], [-1, 5], [10**12], ["x"], 5, None, [1.5], [])},
    **{
        f"offsets {offsets}": first(data_offsets=offsets) for offsets in ([0, 1], [-8, 8], [8, 0], [0, 10**15], "x", [])
    },
    "tensors that overlap": header(lambda data: [each.update(data_offsets=[0, 4]) for each in data.values()]),
    "no tensors": header(lambda data: data.clear()),
    "other names": header(lambda data: data.update({f"x{n}": data.pop(name) for n, name in enumerate(list(data))})),
    "a tensor too few": header(lambda data: data.pop(list(data)[-1])),
    **{f"{name} {share:.0%}": cut(name, share) for name in (WEIGHTS, CONFIG) for share in (0, 0.01, 0.5, 0.99)},
    **{f"no {name}": file(name, None) for name in (WEIGHTS, CONFIG)},
    **{f"{name} is text": file(name, b"404: Not Found\n") for name in (WEIGHTS, CONFIG)},
    **{f"{name} is nested": file(name, b"[" * 100_000 + b"]" * 100_000) for name in (WEIGHTS, CONFIG)},
    "header is nested": file(WEIGHTS, struct.pack("<Q", 200_000) + b'{"a":' * 40_000),
    "header longer than the file": file(WEIGHTS, struct.pack("<Q", 2**62) + b"{}"),
    "config is a list": file(CONFIG, b"[]"),
    "config is no UTF-8": file(CONFIG, b'{"model_type": "\xff\xfe"}'),
    **{f"patch_size {size!r}": config(patch_size=size) for size in (0, -14, "x", [14, 7], [], 10**9, 1.5, True)},
    **{f"hidden_size {size!r}": config(hidden_size=size) for size in (0, -1, "x", 50, 10**9, [48])},
    **{f"layers {count!r}": config(num_hidden_layers=count) for count in (0, -1, "x", 10**9)},
    **{f"heads {count!r}": config(num_attention_heads=count) for count in (0, -1, "x", 5)},
    **{f"type {kind!r}": config(model_type=kind) for kind in _TYPES},
    "activation nobody knows": config(hidden_act="nobody"),
    "code of its own": config(auto_map={"AutoModel": "evil.Model"}, model_type="evil"),
    "all weights are NaN": numbers(float("nan")),
    "a few weights are NaN": numbers(float("nan"), 0.001),
    "a pickle": file(WEIGHTS, b"\x80\x04cos\nsystem\nX\x05\x00\x00\x00touch\x85R."),
}


def test_hostile_models(place: Place, outcomes: Outcomes, small_model: str) -> None:
    obj, wrong = creature("one", subdivisions=2), []
    for name in few(list(MODELS), 24):
        folder = place.work / "hostile model"
        shutil.copytree(small_model, folder)
        MODELS[name](folder)
        chosen = workflow.FeatureOptions("dinov2", model=str(folder), layers=(2,), views=2, resolution=112)
        code, said = "", ""
        try:
            finish(workflow.features([obj], workflow.Options(chosen)))
        except MeshKinError as error:
            code, said = error.code, error.message
        if code not in ("model-damaged", "model-wrong") or "hostile model" not in said or "Traceback" in said:
            wrong.append((name, code, said))
        outcomes.tell("a hostile model", name, code)
        shutil.rmtree(folder)
    assert not wrong
    finish(workflow.features([obj], GEOMETRIC))


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n(taken) (w) file closefile\nshowpage\n%%EOF\n"
PICTURE = png_bytes(np.tile(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (1, 64, 3)))


def png_of(width: int, height: int) -> bytes:
    """A PNG file that says it has this size and holds nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


PICTURES: dict[str, bytes] = {
    "PostScript": POSTSCRIPT,
    "PostScript in a binary header": struct.pack("<IIIIIIIH", 0xC6D3D0C5, 30, len(POSTSCRIPT), 0, 0, 0, 0, 0xFFFF)
    + POSTSCRIPT,
    "PDF": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n",
    "WMF": b"\xd7\xcd\xc6\x9a" + bytes(60),
    "ICO": b"\0\0\1\0\1\0" + bytes(60),
    "PCX": b"\x0a\5\1\x08" + bytes(140),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
    "empty": b"",
    "text": b"no picture\n" * 30,
    "noise": np.random.default_rng(1).bytes(3000),
    **{f"PNG {share:.0%}": PICTURE[: int(share * len(PICTURE))] for share in (0.1, 0.5)},
    "PNG of 0 by 0": png_of(0, 0),
    "PNG of 2 by 2": png_of(2, 2),
    "PNG of a million each way": png_of(10**6, 10**6),
    "PNG of nothing": png_of(64, 64),
    "PNG with a bit flipped": PICTURE[:60] + bytes([PICTURE[60] ^ 1]) + PICTURE[61:],
    "JPEG of nothing": b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + bytes(40),
    "TIFF in a circle": b"II*\0\x08\0\0\0\x01\0\0\1\3\0\1\0\0\0\5\0\0\0\x08\0\0\0",
    "GIF of nothing": b"GIF89a" + bytes(20),
    "WEBP of nothing": b"RIFF\x20\0\0\0WEBPVP8 " + bytes(40),
    "BMP of nothing": b"BM" + bytes(60),
}


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_hostile_pictures(place: Place, outcomes: Outcomes, small_model: str, suffix: str) -> None:
    chosen = workflow.FeatureOptions("dinov2", model=small_model, layers=(2,), views=2, resolution=112)
    obj = creature("one", subdivisions=2)
    for name, content in PICTURES.items():
        path = place.work / f"in.{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError) as raised:
            finish(workflow.match_photo(str(path), obj, workflow.Options(chosen)))
        assert raised.value.code in ("photo-unreadable", "photo-small"), (name, raised.value)
        assert str(path) in raised.value.message
        outcomes.tell("a hostile picture", f"{name}.{suffix}", raised.value.code)
    assert [left.name for left in place.work.iterdir()] == [path.name]
