"""A Flamenco Manager and its workers in one thread, as far as batches need them.

The job type is run by a JavaScript engine. What comes and goes is checked against the parts of Flamenco's OpenAPI
description (version 3) that are written down here: the fields, their types, which of them are required.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jsonschema
import quickjs

from helpers.places import ROOT

SCRIPT = ROOT / "packaging" / "flamenco" / "meshkin-batch.js"
Task = dict[str, Any]
"""A compiled task: its name, type, commands, and the names of those that it depends on."""

_TEXT, _NUMBER = {"type": "string"}, {"type": "integer"}
_TASK_STATES = ["active", "canceled", "completed", "failed", "queued", "soft-failed", "paused"]
_JOB_STATES = [
    *("active", "canceled", "completed", "failed", "paused", "queued", "cancel-requested", "requeueing"),
    *("under-construction",),
]
SUBMITTED_JOB = {
    "type": "object",
    "required": ["name", "type", "priority", "submitter_platform"],
    "properties": {
        "name": _TEXT,
        "type": _TEXT,
        "type_etag": _TEXT,
        "priority": _NUMBER,
        "settings": {"type": "object"},
        "metadata": {"type": "object", "additionalProperties": _TEXT},
        "submitter_platform": _TEXT,
        "storage": {"type": "object"},
        "worker_tag": {"type": "string", "format": "uuid"},
        "initial_status": {"enum": ["paused", "queued"]},
    },
    "additionalProperties": False,
}
JOB = {
    "allOf": [SUBMITTED_JOB | {"additionalProperties": True}],
    "required": ["id", "created", "updated", "status", "activity"],
    "properties": {"status": {"enum": _JOB_STATES}},
}
TASK_SUMMARY = {
    "type": "object",
    "required": ["id", "name", "status", "priority", "task_type", "updated"],
    "properties": {"status": {"enum": _TASK_STATES}},
}
SETTING = {
    "type": "object",
    "required": ["key", "type"],
    "properties": {
        "key": _TEXT,
        "type": {"enum": ["string", "int32", "float", "bool"]},
        "subtype": {"enum": ["file_path", "dir_path", "file_name", "hashed_file_path"]},
        "choices": {"type": "array", "items": _TEXT},
        "propargs": {"type": "object"},
        "description": _TEXT,
        "label": _TEXT,
        "default": {},
        "eval": _TEXT,
        "evalInfo": {"type": "object"},
        "visible": {"enum": ["visible", "hidden", "submission", "web"]},
        "required": {"type": "boolean"},
        "editable": {"type": "boolean"},
    },
    "additionalProperties": False,
}
COMMANDS = {"exec": {"exe": str, "args": list}, "echo": {"message": str}}
"""Of the worker's commands those that the job type uses, with their parameters."""
_KINDS = {"string": str, "int32": int, "float": float, "bool": bool}

# What the Manager gives to scripts: names begin with small letters, as its JavaScript engine has them.
_AUTHOR = """
function print() {}
const tasks = [];
const author = {
    Task(name, type) {
        if (!name || !name.trim()) throw new Error("author.Task(name, type): name is required");
        if (!type || !type.trim()) throw new Error("author.Task(name, type): type is required");
        return {
            name, type, commands: [], dependencies: [],
            addCommand(command) { this.commands.push(command); },
            addDependency(task) { this.dependencies.push(task.name); },
        };
    },
    Command(name, parameters) { return { name, parameters }; },
};
const job = (settings) => ({ settings, created: new Date(0), addTask(task) { tasks.push(task); } });
"""


def job_type() -> dict[str, Any]:
    """What the script declares, as the Manager tells it."""
    context = quickjs.Context()
    context.eval(_AUTHOR + SCRIPT.read_text(encoding="utf-8"))
    told: dict[str, Any] = json.loads(context.eval("JSON.stringify(JOB_TYPE)"))
    for setting in told["settings"]:
        jsonschema.validate(setting, SETTING)
    return {"name": SCRIPT.stem, "etag": "1", **told}


def compiled(settings: dict[str, Any]) -> list[Task]:
    """The tasks of a job with these settings, to which the Manager adds the defaults."""
    known = {setting["key"]: setting for setting in job_type()["settings"]}
    assert set(settings) <= set(known)
    complete = {key: setting["default"] for key, setting in known.items() if "default" in setting} | settings
    for key, setting in known.items():
        assert key in complete or not setting.get("required")
        assert type(complete[key]) is _KINDS[setting["type"]], key
    context = quickjs.Context()
    context.eval(_AUTHOR + SCRIPT.read_text(encoding="utf-8"))
    context.eval(f"compileJob(job({json.dumps(complete)}))")
    tasks: list[Task] = json.loads(context.eval("JSON.stringify(tasks)"))
    names = {task["name"] for task in tasks}
    assert len(names) == len(tasks)
    for task in tasks:
        assert set(task["dependencies"]) <= names
        for command in task["commands"]:
            assert {name: type(value) for name, value in command["parameters"].items()} == COMMANDS[command["name"]]
    return tasks


class Farm:
    """The Manager's state. Each time that it is asked for the tasks, its workers do what is ready."""

    def __init__(self, work: Callable[[list[str]], bool], version: str) -> None:
        """``work`` runs a command of the job with these arguments and says whether that went well."""
        self.work, self.version = work, version
        self.types = [job_type()]
        self.tags = [{"id": str(uuid.uuid4()), "name": "GPU", "description": ""}]
        self.submitted: dict[str, Any] = {}
        self.tasks: list[Task] = []
        self.failing = 0

    def answer(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        if self.failing:
            self.failing -= 1
            return 0, {}
        if path == "/api/v3/version":
            return 200, {"name": "Flamenco", "version": self.version}
        if path == "/api/v3/jobs/types":
            return 200, {"job_types": self.types}
        if path == "/api/v3/worker-mgt/tags":
            return 200, {"tags": self.tags}
        if path == "/api/v3/jobs" and body is not None:
            try:
                jsonschema.validate(body, SUBMITTED_JOB, format_checker=jsonschema.FormatChecker())
            except jsonschema.ValidationError as error:
                return 400, {"code": 400, "message": error.message}
            self.submitted = body
            self.tasks = [{**task, "status": "queued"} for task in compiled(body["settings"])]
            return 200, self.job()
        if path == f"/api/v3/jobs/{self.id}":
            return 200, self.job()
        if path == f"/api/v3/jobs/{self.id}/tasks":
            self._step()
            return 200, {"tasks": [self._summary(task) for task in self.tasks]}
        return 404, {"code": 404, "message": path}

    id = str(uuid.uuid4())

    def job(self) -> dict[str, Any]:
        states = {task["status"] for task in self.tasks}
        status = "failed" if "failed" in states else "completed" if states == {"completed"} else "active"
        moment = "2026-01-01T00:00:00Z"
        told = {**self.submitted, "id": self.id, "created": moment, "updated": moment, "status": status, "activity": ""}
        jsonschema.validate(told, JOB)
        return told

    @staticmethod
    def _summary(task: Task) -> dict[str, Any]:
        told = {"id": str(uuid.uuid4()), "name": task["name"], "status": task["status"], "priority": 50}
        told |= {"task_type": task["type"], "updated": "2026-01-01T00:00:00Z"}
        jsonschema.validate(told, TASK_SUMMARY)
        return told

    def _step(self) -> None:
        done = {task["name"] for task in self.tasks if task["status"] == "completed"}
        for task in self.tasks:
            if task["status"] == "queued" and set(task["dependencies"]) <= done:
                commands = [each["parameters"] for each in task["commands"] if each["name"] == "exec"]
                assert all(each["exe"] == "{meshkin}" for each in commands)
                task["status"] = "completed" if all(self.work(each["args"]) for each in commands) else "failed"


@contextmanager
def farm(work: Callable[[list[str]], bool], version: str = "3.7") -> Iterator[tuple[str, Farm]]:
    """A Manager that answers at a URL, and its state."""
    state = Farm(work, version)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            code, told = state.answer(self.path, body)
            if not code:  # as a Manager that is just restarted
                self.connection.close()
                return
            text = json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", state
        server.shutdown()
