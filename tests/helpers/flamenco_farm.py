"""A Flamenco Manager and its workers in one thread, as far as batches need them.

The job type is run by a JavaScript engine. What comes and goes is checked against Flamenco's own OpenAPI description
(``pkg/api/flamenco-openapi.yaml``, 3.3 to 3.6), of which the parts that batches use are written down here: the fields,
their types, which of them are required. What the Manager does not check, such as settings, is not checked here either.
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
VERSION = {
    "type": "object",
    "required": ["version", "shortversion", "name", "git"],
    "properties": {"version": _TEXT, "shortversion": _TEXT, "name": _TEXT, "git": _TEXT},
}
TAGS = {
    "type": "object",
    "properties": {
        "tags": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"id": {"type": "string", "format": "uuid"}, "name": _TEXT, "description": _TEXT},
            },
        }
    },
}
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": _NUMBER, "message": _TEXT},
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
JOB_TYPES = {
    "type": "object",
    "required": ["job_types"],
    "properties": {
        "job_types": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "label", "settings", "etag"],
                "properties": {
                    "name": _TEXT,
                    "label": _TEXT,
                    "description": _TEXT,
                    "etag": _TEXT,
                    "settings": {"type": "array", "items": SETTING},
                },
                "additionalProperties": False,
            },
        }
    },
}
TASKS = {"type": "object", "properties": {"tasks": {"type": "array", "items": TASK_SUMMARY}}}
COMMANDS = {"exec": {"exe": str, "args": list}, "echo": {"message": str}}
"""Of the worker's commands those that the job type uses, with their parameters."""
_KINDS = {"string": str, "int32": int, "float": float, "bool": bool}

# What the Manager gives to scripts: names begin with small letters, as its JavaScript engine has them.
# A job has its own copy of each task that is added to it, without what the task is told afterward.
_AUTHOR = """"use strict";
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
const job = (settings) => ({ settings, created: new Date(0), addTask(task) { tasks.push(structured(task)); } });
const structured = (task) => JSON.parse(JSON.stringify(task));
"""


def job_type() -> dict[str, Any]:
    """What the script declares, as the Manager tells it."""
    context = quickjs.Context()
    context.eval(_AUTHOR + SCRIPT.read_text(encoding="utf-8"))
    told: dict[str, Any] = json.loads(context.eval("JSON.stringify(JOB_TYPE)"))
    return {"name": SCRIPT.stem, "etag": "1", **told}


def compiled(settings: dict[str, Any]) -> list[Task]:
    """The tasks of a job with these settings: those that were submitted, for the Manager adds no defaults."""
    known = {setting["key"]: setting for setting in job_type()["settings"]}
    assert set(settings) <= set(known)
    for key, setting in known.items():
        assert key in settings or not setting.get("required")
        assert key not in settings or type(settings[key]) is _KINDS[setting["type"]], key
    context = quickjs.Context()
    context.eval(_AUTHOR + SCRIPT.read_text(encoding="utf-8"))
    context.eval(f"compileJob(job({json.dumps(settings)}))")
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
        self.failing, self.failure = 0, 0  # how many requests, and with which status; 0 for no answer at all

    def answer(self, path: str, body: Any) -> tuple[int, dict[str, Any]]:
        """The status and the answer, which is as Flamenco describes it."""
        if self.failing:
            self.failing -= 1
            return self.failure, {"code": self.failure, "message": "database busy"}
        code, told, schema = self._answer(path.removeprefix("/api/v3/"), body)
        jsonschema.validate(told, schema if code == 200 else ERROR, format_checker=jsonschema.FormatChecker())
        return code, told

    def _answer(self, path: str, body: Any) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """The status, the answer, and what it has to look like."""
        if path == "version":
            numbers = {"version": self.version, "shortversion": self.version, "git": f"v{self.version}"}
            return 200, {"name": "Flamenco", **numbers}, VERSION
        if path == "jobs/types":
            return 200, {"job_types": self.types}, JOB_TYPES
        if path == "worker-mgt/tags":
            return 200, {"tags": self.tags}, TAGS
        if path == "jobs" and body is not None:
            return self._submit(body)
        if path == f"jobs/{self.id}":
            return 200, self.job(), JOB
        if path == f"jobs/{self.id}/tasks":
            self._step()
            return 200, {"tasks": [self._summary(task) for task in self.tasks]}, TASKS
        return 404, {"code": 404, "message": path}, ERROR

    def _submit(self, body: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
        try:
            jsonschema.validate(body, SUBMITTED_JOB, format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            return 400, {"code": 400, "message": error.message}, ERROR
        if body.get("type_etag", self.etag) != self.etag:
            return 412, {"code": 412, "message": "job type etag does not match"}, ERROR
        self.submitted = body
        self.tasks = [{**task, "status": "queued"} for task in compiled(body["settings"])]
        return 200, self.job(), JOB

    id = str(uuid.uuid4())
    etag = "1"  # of the job type on the Manager

    def job(self) -> dict[str, Any]:
        states = {task["status"] for task in self.tasks}
        status = "failed" if "failed" in states else "completed" if states == {"completed"} else "active"
        moment = "2026-01-01T00:00:00Z"
        return {**self.submitted, "id": self.id, "created": moment, "updated": moment, "status": status, "activity": ""}

    @staticmethod
    def _summary(task: Task) -> dict[str, Any]:
        told = {"id": str(uuid.uuid4()), "name": task["name"], "status": task["status"], "priority": 50}
        return told | {"task_type": task["type"], "updated": "2026-01-01T00:00:00Z"}

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
