"""Manifests as --dry-run tells them: lists and matrices, what is refused, and what counts as done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meshkin import cli
from meshkin.batch import manifest as manifests
from meshkin.batch import plan, records


def write(folder: Path, text: str, name: str = "jobs.toml") -> Path:
    """A manifest among some files that only have to be there."""
    for shape in ("a.obj", "b.obj", "people/x.obj", "people/y.obj", "people/notes.txt", "cast.blend"):
        (folder / shape).parent.mkdir(exist_ok=True)
        (folder / shape).write_text(shape)
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def planned(manifest: Path, capfd: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    """What --dry-run --json prints, also an error."""
    cli.main(["batch", str(manifest), "--output", str(manifest.parent / "out"), "--dry-run", "--json", *more])
    data: dict[str, Any] = json.loads(capfd.readouterr().out)
    assert not (manifest.parent / "out").exists()
    return data


def commands(data: dict[str, Any]) -> dict[str, list[str]]:
    """Of each item its command up to --json."""
    return {item["id"]: item["command"][: item["command"].index("--json")] for item in data["items"]}


LIST = {
    "jobs.json": '{"items": [{"verb": "features", "arguments": ["a.obj"], "gpu": true},'
    ' {"id": "ab", "verb": "match", "arguments": "a.obj b.obj --flip", "after": ["0001-features"]}]}',
    "short.json": '[{"verb": "features", "arguments": ["a.obj"], "gpu": true},'
    ' {"id": "ab", "verb": "match", "arguments": "a.obj b.obj --flip", "after": "0001-features"}]',
    "jobs.toml": '[[items]]\nverb = "features"\narguments = "a.obj"\ngpu = true\n[[items]]\nid = "ab"\nverb = "match"\n'
    'arguments = ["a.obj", "b.obj", "--flip"]\nafter = ["0001-features"]\n',
    "jobs.csv": "id,verb,arguments,gpu,after\n,features,a.obj,yes,\nab,match,a.obj b.obj --flip,,0001-features\n",
}


@pytest.mark.parametrize("name", LIST)
def test_one_list_in_every_format(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    data = planned(write(tmp_path, LIST[name], name), capfd)
    assert commands(data) == {
        "0001-features": ["features", "a.obj"],
        "ab": ["match", "a.obj", "b.obj", "--flip"],
    }
    assert data["stages"] == "1g,1"
    outputs = [item["command"][-1] for item in data["items"]]
    assert outputs == [str(tmp_path / "out" / "0001-features.safetensors"), str(tmp_path / "out" / "ab.npz")]


TABLE = """\
ID;Verb;Arguments;GPU;After
"käse 1";features;"a.obj --features geometric";TRUE;
;;;;
"two
lines";match;a.obj b.obj;no;"'käse 1'"
;;;;
"""


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "sep=;", "sep=|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_as_spreadsheets_write_them(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], delimiter: str, encoding: str
) -> None:
    text = TABLE.replace("two\nlines", "two").replace(";", delimiter[-1]).replace("\n", "\r\n")
    manifest = write(tmp_path, "", "jobs.csv")
    manifest.write_bytes((f"{delimiter}\r\n{text}" if len(delimiter) > 1 else text).encode(encoding))
    data = planned(manifest, capfd)
    assert commands(data) == {
        "käse 1": ["features", "a.obj", "--features", "geometric"],
        "two": ["match", "a.obj", "b.obj"],
    }
    assert data["stages"] == "1g,1"


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        ("batch-unreadable", b"verb,arguments\nfeatures,k\xe4se.obj\n", "UTF-8"),
        ("data-invalid", b"verb,arguments\n\ntransfer,cast.blend --what texture,weights\n", "Line 3"),
        ("data-invalid", b"verb,arguments,gpu\nfeatures,a.obj,WAHR\n", "Line 2"),
        ("data-invalid", b"verb,argument\nfeatures,a.obj\n", "argument"),
        ("batch-id", TABLE.encode(), "lines"),
        ("batch-empty", b"verb,arguments\n,\n", "nothing"),
        ("batch-empty", b"", "nothing"),
    ],
)
def test_tables_that_are_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], code: str, text: bytes, told: str
) -> None:
    manifest = write(tmp_path, "", "jobs.csv")
    manifest.write_bytes(text)
    error = planned(manifest, capfd)["error"]
    assert error["code"] == code
    assert told in f"{error['message']} {error['fix']}"


def test_shapes_of_one_name_can_be_told_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = '[matrix]\nsources = ["a.obj", "./a.obj", "a.ply", "people/a.obj"]\ntargets = ["./b.obj"]\n'
    manifest = write(tmp_path, text)
    for name in ("a.ply", "people/a.obj"):
        (tmp_path / name).write_text(name)
    data = planned(manifest, capfd)
    assert {name: command[1] for name, command in commands(data).items() if command[0] == "features"} == {
        "features-a.obj": "a.obj",
        "features-a.ply": "a.ply",
        "features-people-a": "people/a.obj",
        "features-b": "b.obj",
    }
    matches = [name for name in commands(data) if name.startswith("match")]
    assert sorted(matches) == ["match-a.obj-b", "match-a.ply-b", "match-people-a-b"]


MATRIX = """
[matrix]
sources = ["a.obj", "b.obj"]
targets = ["people/*.obj", "a.obj"]
what = ["match"]
features = ["--features", "geometric"]
arguments = "--flip"
gpu = true
"""


def test_a_matrix_describes_each_shape_once_and_matches_each_pair(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = planned(write(tmp_path, MATRIX), capfd)
    found = commands(data)
    described = [command[1] for command in found.values() if command[0] == "features"]
    assert sorted(described) == ["a.obj", "b.obj", "people/x.obj", "people/y.obj"]
    pairs = {tuple(command[1:3]) for command in found.values() if command[0] == "match"}
    people = {(one, f"people/{other}.obj") for one in ("a.obj", "b.obj") for other in "xy"}
    assert pairs == {*people, ("b.obj", "a.obj")}  # not a.obj with itself
    assert found["match-a-x"] == ["match", "a.obj", "people/x.obj", "--features", "geometric", "--flip"]
    assert data["stages"] == "4g,5"


def test_a_matrix_of_transfers_in_one_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = '[[matrix]]\nsources = ["cast.blend:Hero"]\ntargets = ["cast.blend:A", "cast.blend:B"]\n'
    data = planned(write(tmp_path, f'{text}what = ["texture,weights", "pose"]\n'), capfd)
    assert commands(data)["texture-weights-Hero-A"] == [
        *("transfer", "cast.blend", "--source", "Hero", "--target", "A", "--what", "texture,weights")
    ]
    assert commands(data)["pose-Hero-B"][:2] == ["pose", "cast.blend"]
    assert commands(data)["features-Hero"] == ["features", "cast.blend:Hero", "--character"]
    assert data["stages"] == "3,4"


def test_a_matrix_of_transfers_between_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = '[matrix]\nsources = ["cast.blend:Hero", "a.obj"]\ntargets = ["*.blend:Body"]\nwhat = ["weights", "match"]\n'
    (tmp_path / "extra.blend").write_text("")
    data = planned(write(tmp_path, text), capfd)
    transfers = {name: command for name, command in commands(data).items() if command[0] == "transfer"}
    ends = {(command[1], command[3]) for command in transfers.values()}
    assert ends == {
        *(("cast.blend", "Hero"), ("extra.blend", "cast.blend:Hero")),
        *(("cast.blend", "a.obj"), ("extra.blend", "a.obj")),
    }
    described = [tuple(command[1:]) for command in commands(data).values() if command[0] == "features"]
    shapes = ("cast.blend:Hero", "cast.blend:Body", "extra.blend:Body")
    assert sorted(described) == sorted(
        [("a.obj",), *((each,) for each in shapes), *((each, "--character") for each in shapes)]
    )


def test_an_item_uses_what_another_writes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = (
        '[{"id": "second", "verb": "match", "arguments": ["{first}:Body", "b.obj"]},'
        ' {"id": "first", "verb": "pose", "arguments": "cast.blend --source A --target B", "output": "x/posed.blend"}]'
    )
    data = planned(write(tmp_path, text, "jobs.json"), capfd)
    assert list(commands(data)) == ["first", "second"]
    assert data["items"][1]["command"][1] == f"{tmp_path / 'out' / 'x' / 'posed.blend'}:Body"


WRONG = {
    "batch-empty": "[]",
    "batch-unreadable": "{",
    "data-invalid": '[{"verb": "match", "argumens": []}]',
    "batch-verb": '[{"verb": "doctor"}]',
    "batch-arguments": '[{"verb": "match", "arguments": "a.obj b.obj --flop"}]',
    "batch-after": '[{"verb": "features", "arguments": "a.obj", "after": ["other"]}]',
    "batch-circle": '[{"id": "a", "verb": "features", "arguments": "a.obj", "after": "b"},'
    ' {"id": "b", "verb": "features", "arguments": "{a}"}]',
    "batch-id": '[{"id": "../a", "verb": "features", "arguments": "a.obj"}]',
    "batch-output": '[{"verb": "features", "arguments": "a.obj", "output": "../f.safetensors"}]',
    "batch-no-file": '{"matrix": {"sources": ["none*.obj"], "targets": ["a.obj"]}}',
    "batch-not-blend": '{"matrix": {"sources": ["a.obj"], "targets": ["b.obj"], "what": ["weights"]}}',
}


MISTAKES = {
    "batch-arguments": [
        '[{"verb": "features", "arguments": "a.obj --features dinno"}]',
        '{"matrix": {"sources": ["a.obj"], "targets": ["cast.blend:A"], "what": ["texture,wieghts"]}}',
    ],
    "batch-output": [
        '[{"verb": "features", "arguments": "a.obj", "output": "Batch.json"}]',
        '[{"id": "a", "verb": "features", "arguments": "a.obj", "output": "b.log"},'
        ' {"id": "b", "verb": "features", "arguments": "b.obj"}]',
        '[{"verb": "features", "arguments": "a.obj", "output": "x.safetensors"},'
        ' {"verb": "features", "arguments": "b.obj", "output": "X.safetensors"}]',
    ],
    "batch-id": ['[{"id": "Thumbnails", "verb": "features", "arguments": "a.obj"}]'],
    "batch-unreadable": ["[" * 100_000, '{"matrx": {}}', '[{"verb": "features", "arguments": "\\"a.obj"}]'],
}
"""Of some codes, further manifests."""


@pytest.mark.parametrize(("code", "text"), [(code, text) for code, texts in MISTAKES.items() for text in texts])
def test_mistakes_of_the_same_kinds(tmp_path: Path, capfd: pytest.CaptureFixture[str], code: str, text: str) -> None:
    error = planned(write(tmp_path, text, "jobs.json"), capfd)["error"]
    assert (error["code"], bool(error["fix"])) == (code, True)


def test_files_with_other_names(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Blanks, brackets, other scripts, a dash at the beginning, and one file by two names."""
    for name in ("日本 語.obj", "[odd].obj", "-dash.obj", "it's.obj"):
        (tmp_path / name).write_text(name)
    names = ["日本*.obj", "[[]odd].obj", "[odd].obj", "-*.obj", "it's.obj", str(tmp_path / "a.obj"), "./a.obj"]
    matrix = {"matrix": {"sources": names, "targets": ["b.obj"]}}
    data = planned(write(tmp_path, json.dumps(matrix), "jobs.json"), capfd)
    described = [command[1] for command in commands(data).values() if command[0] == "features"]
    assert described == ["日本 語.obj", "[odd].obj", "./-dash.obj", "it's.obj", "a.obj", "b.obj"]


@pytest.mark.parametrize("code", WRONG)
def test_what_cannot_be_done_is_said_before_anything_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], code: str
) -> None:
    error = planned(write(tmp_path, WRONG[code], "jobs.json"), capfd)["error"]
    assert error["code"] == code
    assert error["fix"]


SUFFIXES = {"match": ".npz", "features": ".safetensors"}


def finish_all(manifest: Path) -> None:
    """Leave the records and outputs of a batch all of whose items have gone well."""
    made = plan.make(manifests.read(manifest), manifest, manifest.parent / "out", SUFFIXES)
    for task in made.tasks:
        records.write(made.folder, records.ended(records.empty(task, task.key), 0, 0.0, {"ok": True}))
        task.output.write_text("result")


def states(manifest: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    cli.main(["batch", str(manifest), "--output", str(manifest.parent / "out"), "--dry-run", "--json"])
    return {item["id"]: item["state"] for item in json.loads(capfd.readouterr().out)["items"]}


def test_done_is_what_has_the_same_arguments_and_inputs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    manifest = write(tmp_path, MATRIX)
    finish_all(manifest)
    assert set(states(manifest, capfd).values()) == {"done"}
    (tmp_path / "people" / "x.obj").write_text("changed")
    todo = {"features-x", "match-a-x", "match-b-x"}
    assert {name for name, state in states(manifest, capfd).items() if state == "to do"} == todo
    (tmp_path / "out" / "match-b-y.npz").unlink()
    assert states(manifest, capfd)["match-b-y"] == "to do"
    manifest.write_text(MATRIX.replace('"--flip"', '""'), encoding="utf-8")
    assert {name for name, state in states(manifest, capfd).items() if state == "done"} == {
        *("features-a", "features-b", "features-y")
    }


def test_what_killed_processes_had_begun_is_deleted(tmp_path: Path) -> None:
    manifest = write(tmp_path, MATRIX)
    finish_all(manifest)
    made = plan.make(manifests.read(manifest), manifest, tmp_path / "out", SUFFIXES)
    kept = sorted(made.folder.iterdir())
    names = (".match-a-x-k3_u6d8x.json", ".match-a-x-abcdefgh.npz", "match-a-x.npz@")
    others = (".match-a-x.json", ".match-a-q-abcdefgh.npz", ".match-a-x-abcdefgh.txt")
    for name in (*names, *others):
        (made.folder / name).write_text("half")
    records.remove_leftovers(made)
    assert sorted(made.folder.iterdir()) == sorted([*kept, *(made.folder / name for name in others)])
