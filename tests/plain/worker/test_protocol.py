"""The messages: what goes in at one end comes out at the other, and nothing else does."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkin.base.errors import InputError, WorkerError, from_dict
from meshkin.worker import protocol
from meshkin.worker.protocol import Channel, Message, check_hello

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def received(line: bytes) -> Message | None:
    return Channel(io.BytesIO(line), io.BytesIO()).receive()


def sent(message: str, **payload: Any) -> bytes:
    stream = io.BytesIO()
    Channel(io.BytesIO(), stream).send(message, **payload)
    return stream.getvalue()


@given(arguments=st.dictionaries(st.text(), values, max_size=4))
def test_round_trip(arguments: dict[str, Any]) -> None:
    line = sent(protocol.RUN, job=3, kind="match", arguments=arguments)
    assert line.count(b"\n") == 1
    assert received(line) == (protocol.RUN, {"job": 3, "kind": "match", "arguments": arguments})


def test_names_that_are_not_text_survive() -> None:
    name = os.fsdecode(b"caf\xe9.blend")  # a file name in another encoding: Python keeps its bytes as surrogates
    message = received(sent(protocol.RUN, job=1, kind="k", arguments={"path": name}))
    assert message is not None
    assert message[1]["arguments"]["path"] == name


def test_error_round_trip() -> None:
    error = InputError("mesh-empty", "“Würfel” has no faces.", "Choose another.")
    message = received(sent(protocol.ERROR, job=1, error=error.to_dict()))
    assert message is not None
    back = from_dict(message[1]["error"])
    assert (type(back), back.code, back.message, back.fix) == (InputError, error.code, error.message, error.fix)


@pytest.mark.parametrize(
    "line",
    [
        b"Downloading model: 43%\n",
        b"\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'["RUN"]\n',
        b'["NOSUCH", {}]\n',
        b'[["RUN"], {}]\n',
        b'{"RUN": {}}\n',
        b'["RUN", {"job": 1, "kind": "match"}]\n',
        b'["RUN", {"job": "1", "kind": "match", "arguments": {}}]\n',
        b'["PROGRESS", {"job": 1, "stage": "s", "fraction": NaN}]\n',
        b'["RESULT", {"job": 1, "result": {"error": Infinity}}]\n',
        b'["BEAT", []]\n["BEAT", {}]',
        b"[" * 100_000 + b"\n",
        b'["BEAT", {}]' + b" " * protocol.LARGEST_MESSAGE + b"\n",
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WorkerError) as raised:
        received(line)
    assert raised.value.code == "message-invalid"
    assert raised.value.fix
    assert len(raised.value.message) < 200


@pytest.mark.parametrize("line", [b"", b'["BEAT", {}]', b'["RESULT", {"job": 1, "res'])
def test_the_end_is_no_message(line: bytes) -> None:
    assert received(line) is None


@pytest.mark.parametrize(
    "arguments", [{"x": float("nan")}, {"x": float("-inf")}, {"x": object()}, {"x": "y" * protocol.LARGEST_MESSAGE}]
)
def test_what_cannot_be_a_message_is_not_sent(arguments: dict[str, Any]) -> None:
    stream = io.BytesIO()
    with pytest.raises(WorkerError) as raised:
        Channel(io.BytesIO(), stream).send(protocol.RUN, job=1, kind="k", arguments=arguments)
    assert raised.value.code == "message-invalid"
    assert stream.getvalue() == b""


def test_over_a_socket_from_many_threads() -> None:
    """Nothing needs a process or a pipe, and messages of several senders do not mix."""
    here, there = socket.socketpair()
    with here, there:
        near = Channel(here.makefile("rb"), here.makefile("wb"))
        far = Channel(there.makefile("rb"), there.makefile("wb"))

        def send(job: int) -> None:
            for step in range(50):
                near.send(protocol.PROGRESS, job=job, stage="x" * 2000, fraction=step / 50)

        threads = [threading.Thread(target=send, args=(job,)) for job in range(4)]
        for thread in threads:
            thread.start()
        messages = [far.receive() for _ in range(200)]
        for thread in threads:
            thread.join()
        for job in range(4):
            told = [message[1]["fraction"] for message in messages if message and message[1]["job"] == job]
            assert told == [step / 50 for step in range(50)]
        near.close()
        here.shutdown(socket.SHUT_RDWR)
        assert far.receive() is None


def test_sending_after_the_end_raises_what_a_broken_pipe_raises() -> None:
    read, write = os.pipe()
    channel = Channel(os.fdopen(read, "rb"), os.fdopen(write, "wb"))
    channel.close()
    with pytest.raises(OSError):  # noqa: PT011 - any of them means the same
        channel.send(protocol.BEAT)


def test_hello() -> None:
    hello = {"protocol": protocol.PROTOCOL, "version": "1.2.3", "pid": 5}
    check_hello((protocol.HELLO, hello), "1.2.3")
    for wrong in (
        (protocol.HELLO, {**hello, "protocol": protocol.PROTOCOL + 1}),
        (protocol.HELLO, {**hello, "version": "1.2.4"}),
        (protocol.BEAT, {}),
    ):
        with pytest.raises(WorkerError) as raised:
            check_hello(wrong, "1.2.3")
        assert raised.value.code == "worker-version"
        assert "1.2.3" in raised.value.message


def test_lines_are_plain_json() -> None:
    """Any language can speak it."""
    assert json.loads(sent(protocol.CANCEL, job=7)) == ["CANCEL", {"job": 7}]
