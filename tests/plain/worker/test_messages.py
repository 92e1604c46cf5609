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
from meshkin.worker.channel import MessageChannel
from meshkin.worker.messages import (
    LARGEST_MESSAGE,
    PROTOCOL,
    BeatMessage,
    ByeMessage,
    CancelMessage,
    ErrorMessage,
    HelloMessage,
    Message,
    ProgressMessage,
    ResultMessage,
    RunMessage,
    check_hello,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def received(line: bytes) -> Message | None:
    return MessageChannel(io.BytesIO(line), io.BytesIO()).receive()


def sent(message: Message) -> bytes:
    stream = io.BytesIO()
    MessageChannel(io.BytesIO(), stream).send(message)
    return stream.getvalue()


@given(fields=st.dictionaries(st.text(), values, max_size=4))
def test_round_trip(fields: dict[str, Any]) -> None:
    line = sent(RunMessage(3, "match", fields))
    assert line.count(b"\n") == 1
    assert received(line) == RunMessage(3, "match", fields)


def test_names_that_are_not_text_survive() -> None:
    name = os.fsdecode(b"caf\xe9.blend")  # a file name in another encoding: Python keeps its bytes as surrogates
    message = received(sent(RunMessage(1, "k", {"path": name})))
    assert isinstance(message, RunMessage)
    assert message.request["path"] == name


def test_error_round_trip() -> None:
    error = InputError("mesh-empty", "“Würfel” has no faces.", "Choose another.")
    message = received(sent(ErrorMessage(1, error.to_dict())))
    assert isinstance(message, ErrorMessage)
    back = from_dict(message.error)
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
        b'["RUN", {"number": 1, "job": "match"}]\n',
        b'["RUN", {"number": "1", "job": "match", "request": {}}]\n',
        b'["RUN", {"number": 1, "job": "match", "request": []}]\n',
        b'["RUN", {"number": 1, "job": "match", "request": {}, "more": 1}]\n',
        b'["PROGRESS", {"number": 1, "stage": "s", "fraction": NaN}]\n',
        b'["PROGRESS", {"number": 1, "stage": "s", "fraction": 1e999}]\n',
        b'["RESULT", {"number": 1, "result": {"error": Infinity}}]\n',
        b'["BEAT", []]\n["BEAT", {}]',
        b"[" * 100_000 + b"\n",
        b'["BEAT", {}]' + b" " * LARGEST_MESSAGE + b"\n",
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WorkerError) as raised:
        received(line)
    assert raised.value.code == "message-invalid"
    assert raised.value.fix
    assert len(raised.value.message) < 200


@pytest.mark.parametrize("line", [b"", b'["BEAT", {}]', b'["RESULT", {"number": 1, "res'])
def test_the_end_is_no_message(line: bytes) -> None:
    assert received(line) is None


@pytest.mark.parametrize(
    "fields", [{"x": float("nan")}, {"x": float("-inf")}, {"x": object()}, {"x": "y" * LARGEST_MESSAGE}]
)
def test_what_cannot_be_a_message_is_not_sent(fields: dict[str, Any]) -> None:
    stream = io.BytesIO()
    with pytest.raises(WorkerError) as raised:
        MessageChannel(io.BytesIO(), stream).send(RunMessage(1, "k", fields))
    assert raised.value.code == "message-invalid"
    assert stream.getvalue() == b""


def test_over_a_socket_from_many_threads() -> None:
    """Nothing needs a process or a pipe, and messages of several senders do not mix."""
    here, there = socket.socketpair()
    with here, there:
        near = MessageChannel(here.makefile("rb"), here.makefile("wb"))
        far = MessageChannel(there.makefile("rb"), there.makefile("wb"))

        def send(job: int) -> None:
            for step in range(50):
                near.send(ProgressMessage(job, "x" * 2000, step / 50))

        threads = [threading.Thread(target=send, args=(job,)) for job in range(4)]
        for thread in threads:
            thread.start()
        messages = [message for _ in range(200) if isinstance(message := far.receive(), ProgressMessage)]
        for thread in threads:
            thread.join()
        for job in range(4):
            told = [message.fraction for message in messages if message.number == job]
            assert told == [step / 50 for step in range(50)]
        near.close()
        here.shutdown(socket.SHUT_RDWR)
        assert far.receive() is None


def test_sending_after_the_end_raises_what_a_broken_pipe_raises() -> None:
    read, write = os.pipe()
    channel = MessageChannel(os.fdopen(read, "rb"), os.fdopen(write, "wb"))
    channel.close()
    with pytest.raises(OSError):  # noqa: PT011 - any of them means the same
        channel.send(BeatMessage())


def test_hello() -> None:
    check_hello(HelloMessage(PROTOCOL, "1.2.3", 5), "1.2.3")
    for wrong in (HelloMessage(PROTOCOL + 1, "1.2.3", 5), HelloMessage(PROTOCOL, "1.2.4", 5), BeatMessage()):
        with pytest.raises(WorkerError) as raised:
            check_hello(wrong, "1.2.3")
        assert raised.value.code == "worker-version"
        assert "1.2.3" in raised.value.message


def test_lines_are_plain_json() -> None:
    """Any language can speak it."""
    assert json.loads(sent(CancelMessage(7))) == ["CANCEL", {"number": 7}]


def test_the_names_in_lines() -> None:
    lines: list[tuple[Message, str]] = [
        (HelloMessage(PROTOCOL, "1.2.3", 5), "HELLO"),
        (RunMessage(1, "k", {}), "RUN"),
        (ProgressMessage(1, "s", 0.5), "PROGRESS"),
        (ResultMessage(1, {}), "RESULT"),
        (ErrorMessage(1, {}), "ERROR"),
        (CancelMessage(1), "CANCEL"),
        (BeatMessage(), "BEAT"),
        (ByeMessage(), "BYE"),
    ]
    for message, name in lines:
        assert json.loads(sent(message))[0] == name
        assert received(sent(message)) == message
