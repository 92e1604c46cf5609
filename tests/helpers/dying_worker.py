"""The worker, which ends itself, as the system would, when its job reports a stage: ``MESHKIN_TEST_DIES_IN`` names it.

``python dying_worker.py FOLDER_OF_THE_PACKAGE``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = [str(Path(sys.argv[1]).parent)]

from meshkin.worker import messages
from meshkin.worker.__main__ import load_job
from meshkin.worker.channel import MessageChannel
from meshkin.worker.server import serve


class DyingChannel(MessageChannel):
    """A channel that sends a message, and ends the process at once if it reports the stage."""

    def send(self, message: messages.Message) -> None:
        super().send(message)
        if isinstance(message, messages.ProgressMessage) and message.stage == os.environ["MESHKIN_TEST_DIES_IN"]:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    channel = DyingChannel(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what is printed goes to the log
    serve(channel, load_job)
