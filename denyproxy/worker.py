"""One of several worker processes, as its supervisor runs it: the socket between them is all that it is given."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
from dataclasses import dataclass
from typing import Any

from denyproxy.app import App, run
from denyproxy.denylog.turn import Turn
from denyproxy.settings import Settings, SettingsError

STATUS = b"status"
"""What a supervisor may ask, with a number that the answer repeats: it may come when nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker needs to know; the first thing that it is sent."""

    settings: Settings
    turn: int
    """File descriptor of the turns at the log."""

    def write(self) -> bytes:
        """Length and contents."""
        data = pickle.dumps(self)
        return len(data).to_bytes(8, "big") + data


def main(descriptor: int) -> int:
    """Work until told to stop; the exit status. `descriptor`: of the supervisor's socket."""
    supervisor = socket.socket(fileno=descriptor)
    with supervisor.makefile("rb") as stream:
        orders = pickle.loads(stream.read(int.from_bytes(stream.read(8), "big")))
    assert isinstance(orders, Orders)
    obeying: set[asyncio.Task[None]] = set()

    def ready(app: App) -> None:
        _tell(supervisor, {"ready": True})
        supervisor.setblocking(False)
        obeying.add(asyncio.get_running_loop().create_task(_obey(app, supervisor)))

    try:
        run(orders.settings, ready, Turn(orders.turn))
    except SettingsError as error:
        _tell(supervisor, {"error": str(error)})
        return 2
    return 0


async def _obey(app: App, supervisor: socket.socket) -> None:
    """Tell what is asked; without a supervisor, end as if told to."""
    reader, writer = await asyncio.open_connection(sock=supervisor)
    try:
        while (question := await reader.readline()).startswith(STATUS):
            writer.write(_line({"status": app.status(), "number": int(question[len(STATUS) :])}))
    except ConnectionError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(supervisor: socket.socket, news: dict[str, Any]) -> None:
    supervisor.sendall(_line(news))


def _line(news: dict[str, Any]) -> bytes:
    return json.dumps(news).encode() + b"\n"
