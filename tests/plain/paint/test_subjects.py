"""A subject that is learned: it overfits one picture, leaves the base as it was, and is the same out of its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from meshkin.base.errors import Cancelled, ModelError
from meshkin.base.progress import silent
from meshkin.data.recipe import PartModel
from meshkin.features.diffusion.joint import JointDiffusion
from meshkin.models import lora
from meshkin.models.loading import weight_bytes
from meshkin.models.lora import NamedTensors
from meshkin.paint import subject_learning, subjects
from meshkin.paint.schedule import normal_numbers
from meshkin.paint.subject_learning import SubjectLearning, SubjectLesson, TaughtDiffusion, TaughtPicture, framed, teach
from meshkin.pictures.learning import files

pytestmark = pytest.mark.usefixtures("home")

SIZE = 64
LESSON = SubjectLesson("owl", 6, SIZE, 1)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that the model makes itself take three steps."""
    monkeypatch.setattr(subject_learning, "SAMPLING_STEPS", 3)


@pytest.fixture(scope="module")
def base(folders: dict[str, str]) -> Path:
    return Path(folders["base"])


@pytest.fixture(scope="module")
def loaded(base: Path) -> TaughtDiffusion:
    return TaughtDiffusion(base, 0, "cpu")


@pytest.fixture
def networks(loaded: TaughtDiffusion) -> TaughtDiffusion:
    return fresh(loaded)


def fresh(networks: TaughtDiffusion, seed: int = 0) -> TaughtDiffusion:
    """The same networks with a new LoRA."""
    lora.remove(networks._unet)
    lora.add(networks._unet, seed)
    return networks


def picture() -> tuple[torch.Tensor, torch.Tensor]:
    row, column = np.mgrid[:80, :96]
    mask = (row - 40) ** 2 + (column - 50) ** 2 < 30**2
    pixels = np.stack([row * 3, column * 2, 200 - row], axis=-1).astype(np.uint8)
    return framed(pixels, mask, SIZE)


def model(base: Path) -> PartModel:
    return PartModel("small", str(base), "0123", "")


def learned(networks: TaughtDiffusion) -> NamedTensors:
    """What a few steps have taught."""
    learning = SubjectLearning(networks, [picture()], replace(LESSON, own=0))
    learning.run(lambda: None)
    return networks.tensors()


def test_a_picture_is_framed_around_its_subject() -> None:
    colors, inside = picture()
    assert colors.shape == (1, 3, SIZE, SIZE)
    assert inside.shape == (1, 1, SIZE, SIZE)
    shown = inside[0, 0].bool().numpy()
    assert shown[SIZE // 2, SIZE // 2]
    assert not shown[0].any()
    assert not shown[:, -1].any()
    assert shown.any(axis=1).sum() == pytest.approx(shown.any(axis=0).sum(), abs=2)
    assert (colors[0][:, ~torch.from_numpy(shown)] > 0.5).all()


def test_it_overfits_one_picture(networks: TaughtDiffusion, monkeypatch: pytest.MonkeyPatch) -> None:
    """To a tenth: one picture at one noise, in larger steps than a real model bears."""
    monkeypatch.setattr(subject_learning, "SUBJECT_RATE", 1e-2)
    clean, inside = picture()
    learning = SubjectLearning(networks, [(clean, inside)], LESSON)
    latents = networks.encode(clean).clone()
    example = TaughtPicture(latents, torch.ones_like(latents[:, :1]), "a photo")
    noise = normal_numbers(0, "noise", tuple(latents.shape), networks.device)
    losses = [learning.learn((example, 500, noise)) for _ in range(90)]
    assert losses[-1] < losses[0] / 10


def test_both_stages_run_and_are_the_same_again(networks: TaughtDiffusion, tmp_path: Path) -> None:
    results: list[NamedTensors] = []
    prompts: list[str] = []
    read = networks.read_text
    for number in (0, 1):
        fresh(networks)

        def told(text: str) -> torch.Tensor:
            prompts.append(text)
            return read(text)

        networks.read_text = told  # type: ignore[method-assign]
        before = {name: value.clone() for name, value in networks._unet.named_parameters() if "lora" not in name}
        learning = teach(networks, [picture()], LESSON, tmp_path / f"{number}.pt", silent)
        assert len(learning.losses) == LESSON.steps
        assert len(learning.summary) == 4
        results.append({name: value.clone() for name, value in networks.tensors().items()})
        for name, value in networks._unet.named_parameters():
            assert "lora" in name or torch.equal(value, before[name])
        networks.read_text = read  # type: ignore[method-assign]
    first, second = results
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any(value.any() for name, value in first.items() if "lora_B" in name)
    assert list(dict.fromkeys(prompts)) == [
        "a photo of a o$%c7 owl", "a photo of a owl", "a photo of a ItU@T o$%c7 owl"
    ]  # fmt: skip


@pytest.mark.parametrize("stopped_after", [5, 8, 11])
def test_it_goes_on_where_it_was_stopped(networks: TaughtDiffusion, tmp_path: Path, stopped_after: int) -> None:
    """While it learns what the subject is, makes pictures of its kind, and learns how it looks."""
    told: list[str] = []
    teach(networks, [picture()], LESSON, tmp_path / "whole.pt", lambda stage, _: told.append(stage))
    whole = {name: value.clone() for name, value in networks.tensors().items()}

    def stop(stage: str, _: float) -> None:
        heard.append(stage)
        if len(heard) > stopped_after:
            raise Cancelled

    heard: list[str] = []
    notes = tmp_path / "stopped.pt"
    with pytest.raises(Cancelled):
        teach(fresh(networks), [picture()], LESSON, notes, stop)
    rest: list[str] = []
    teach(fresh(networks, 5), [picture()], LESSON, notes, lambda stage, _: rest.append(stage))
    assert len(rest) < len(told)
    assert all(torch.equal(value, networks.tensors()[name]) for name, value in whole.items())


def look(networks: JointDiffusion, bare: bool = False) -> torch.Tensor:
    latents = torch.randn((3, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    text = networks.encode_text("a potato").expand(3, -1, -1)
    return networks.evaluate_together(latents, 500, text, attended=[(0, 1), (1, 2), (2, 0)], bare=bare)


def test_without_the_subject_the_model_is_what_it_was(networks: TaughtDiffusion, base: Path, tmp_path: Path) -> None:
    taught = learned(networks)
    joint = JointDiffusion(base, device="cpu")
    plain, weights = look(joint), {name: value.clone() for name, value in joint._unet.state_dict().items()}
    size = weight_bytes(joint._unet)
    file = tmp_path / "owl.safetensors"
    files.write(file, taught, subjects.SubjectRecord("owl", "small", "0123", SIZE, 6))
    subject = subjects.read(file, model(base))
    assert subject.in_prompt("gold") == "a photo of a ItU@T o$%c7 owl, gold"
    assert all(torch.equal(value, taught[name]) for name, value in subject.tensors.items())
    for _ in range(2):  # a second time in place of the first
        joint.adapt(subject.tensors, str(file))
    assert not torch.equal(look(joint), plain)
    assert torch.equal(look(joint, bare=True), plain)
    joint.release()
    assert torch.equal(look(joint), plain)
    after = joint._unet.state_dict()
    assert list(after) == list(weights)
    assert all(torch.equal(after[name], value) for name, value in weights.items())
    assert weight_bytes(joint._unet) == size


def test_diffusers_reads_the_file(networks: TaughtDiffusion, base: Path, tmp_path: Path) -> None:
    import diffusers

    taught = learned(networks)
    file = tmp_path / "owl.safetensors"
    files.write(file, taught, subjects.SubjectRecord("owl", "small", "0123", SIZE, 6))
    ours = JointDiffusion(base, device="cpu")
    ours.adapt(subjects.read(file, model(base)).tensors, "owl")
    theirs = diffusers.UNet2DConditionModel.from_pretrained(base / "unet")
    theirs.load_lora_adapter(tmp_path / "owl.safetensors", prefix="unet")
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(0))
    text = ours.encode_text("a potato")
    with torch.no_grad():
        expected = theirs(latents, 500, text, return_dict=False)[0]
    torch.testing.assert_close(ours.evaluate_together(latents, 500, text), expected, rtol=1e-4, atol=1e-4)


def test_other_files_are_refused_by_name(networks: TaughtDiffusion, base: Path, tmp_path: Path) -> None:
    tensors = networks.tensors()
    ours = JointDiffusion(base, device="cpu")
    plain = look(ours)
    with pytest.raises(ModelError, match=r"nowhere\.safetensors") as error:
        subjects.read(tmp_path / "nowhere.safetensors", model(base))
    assert error.value.code == "model-missing"
    file = tmp_path / "wrong.safetensors"
    file.write_bytes(b"not a file of tensors")
    with pytest.raises(ModelError, match=r"wrong\.safetensors") as error:
        subjects.read(file, model(base))
    assert error.value.code == "model-damaged"
    files.write(file, tensors, subjects.SubjectRecord("owl", "another", "4567", SIZE, 6))
    with pytest.raises(ModelError, match=r"wrong\.safetensors.*another") as error:
        subjects.read(file, model(base))
    assert error.value.code == "lora-base"
    from meshkin.pictures.learning.record import LearnedRecord

    files.write(file, tensors, LearnedRecord("normal", "lora"))
    with pytest.raises(ModelError, match=r"wrong\.safetensors") as error:
        subjects.read(file, model(base))
    assert error.value.code == "model-wrong"
    some = dict(list(tensors.items())[2:])
    files.write(file, some, subjects.SubjectRecord("owl", "small", "0123", SIZE, 6))
    with pytest.raises(ModelError, match=r"wrong\.safetensors") as error:
        ours.adapt(subjects.read(file, model(base)).tensors, str(file))
    assert error.value.code == "model-wrong"
    assert torch.equal(look(ours), plain)
    assert not lora.is_there(ours._unet)
