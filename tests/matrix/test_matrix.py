"""Every client, in every mode, with both addressings: direct and through denyproxy it is answered the same.

A tap between client and server keeps the answers. What cannot be done is listed in `limits`, and is tried all the same
where the client has the operation.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from denyproxy.demo.clients import Credentials
from tests.backends import ROOT, Server
from tests.matrix import drivers, libraries, programs
from tests.matrix.limits import LIMITS, Cell, limit, table
from tests.matrix.names import resolving
from tests.matrix.places import MODES, target
from tests.matrix.steps import STEPS, Client, Missing
from tests.matrix.tap import Loop, Tap
from tests.transparency.compare import assert_equal_but_for_the_explanation
from tests.transparency.play import remove
from tests.transparency.test_transparency import EVERYTHING
from tests.transparency.wire import Answer

pytestmark = pytest.mark.slow

CLIENTS: dict[str, Client] = {
    "boto3": libraries.boto3,
    "awscli": drivers.aws,
    "rclone": programs.rclone,
    "s3cmd": programs.s3cmd,
    "curl": programs.curl,
    "js": drivers.js,
    "minio-py": libraries.minio_py,
}
SERVERS = ("ministack", "seaweedfs")
ADDRESSINGS = ("path", "virtual-hosted")
BUCKET = "matrix"
PLACES = re.compile(rb"<(Location|Resource)>[^<]*</\1>")


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was taken."""

    error: str | None
    answers: list[Answer]


@dataclass(slots=True)
class Matrix:
    """Runs cells; what was done direct is done once for all modes that address the same host."""

    loop: Loop
    directory: Path
    exit_stack: contextlib.ExitStack
    servers: Callable[[str], Server]
    ports: dict[tuple[str, str], int]
    users: dict[str, Credentials]
    taps: dict[tuple[str, bool], Tap]
    direct: dict[Cell, dict[str, Done]]

    def play(self, cell: Cell, *, through: bool) -> dict[str, Done]:
        server, mode = self.servers(cell.server), MODES[cell.mode]
        if not through:
            key = replace(cell, mode="aws" if mode.of_aws else "local")
            if key not in self.direct:
                self.direct[key] = self._play(cell, server, _port(server), origin_form=True)
            return self.direct[key]
        if (cell.server, cell.mode) not in self.ports:
            place = self._new(f"{cell.server}-{cell.mode}")
            self.ports[cell.server, cell.mode] = self.exit_stack.enter_context(
                mode.running(place, server, self._user(cell.server), self.loop)
            )
        port = self.ports[cell.server, cell.mode]
        return self._play(cell, server, port, mode.local, origin_form=not mode.of_aws)

    def _user(self, server: str) -> Credentials:
        if server not in self.users:
            self.users[server] = self.servers(server).make_user("matrix", EVERYTHING)
        return self.users[server]

    def _play(
        self, cell: Cell, server: Server, port: int, who: Credentials | None = None, *, origin_form: bool
    ) -> dict[str, Done]:
        mode = MODES[cell.mode]
        who = who or self._user(cell.server)
        if (cell.server, mode.of_aws) not in self.taps:
            self.taps[cell.server, mode.of_aws] = self.exit_stack.enter_context(self.loop.tap())
        tap = self.taps[cell.server, mode.of_aws]
        tap.upstream, tap.origin_form = port, origin_form
        at = target(cell.client, mode, cell.addressing, tap, who, BUCKET, self._new("client"))
        owner = server.client("s3", server.admin)
        owner.create_bucket(Bucket=BUCKET, ObjectOwnership="ObjectWriter")  # s3cmd sets ACLs
        try:
            with resolving(at.names), CLIENTS[cell.client](at) as steps:
                return {step: self._take(tap, steps[step]) for step in _wanted(cell) if step in steps}
        finally:
            remove(owner, BUCKET)
            owner.close()

    def _take(self, tap: Tap, step: Callable[[], None]) -> Done:
        tap.take()
        try:
            step()
        except Exception as error:
            return Done(f"{type(error).__name__}: {error}", tap.take())
        return Done(None, tap.take())

    def _new(self, name: str) -> Path:
        place = next(path for number in itertools.count() if not (path := self.directory / f"{name}-{number}").exists())
        place.mkdir()
        return place


def _port(server: Server) -> int:
    return int(server.endpoint.rpartition(":")[2])


def _wanted(cell: Cell) -> list[str]:
    """The large object goes once through each client and mode."""
    with_large = cell.server == SERVERS[0] and cell.addressing == ADDRESSINGS[0]
    return [step for step in STEPS if step != "64 MiB" or with_large]


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    loop = Loop()
    with contextlib.ExitStack() as stack:
        stack.callback(loop.close)
        yield Matrix(loop, tmp_path_factory.mktemp("matrix"), stack, request.getfixturevalue, {}, {}, {}, {})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("addressing", ADDRESSINGS)
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("client", CLIENTS)
def test_equal_through_denyproxy(matrix: Matrix, client: str, server: str, addressing: str, mode: str) -> None:
    cell = Cell(client, server, mode, addressing)
    try:
        direct, through = matrix.play(cell, through=False), matrix.play(cell, through=True)
    except Missing as missing:
        pytest.skip(str(missing))
    problems = []
    for step in _wanted(cell):
        known = limit(cell, step)
        if known is not None and known.absent:
            assert step not in direct, f"{client} has {step} after all"
            continue
        one, other = direct[step], through[step]
        if (one.error is None) is not (known is None):
            problems.append(f"{step} direct: {one.error or 'went well, though a limit is listed'}")
        if known is not None and MODES[mode].local is not None and other.error is None:
            continue  # signed again, and addressed otherwise, it is no longer what the server cannot do
        if (one.error is None) is not (other.error is None):
            problems.append(f"{step} through denyproxy: {other.error or 'went well'}, direct: {one.error}")
        answers = one.answers, other.answers
        if MODES[mode].local is not None:
            answers = as_addressed(one.answers), as_addressed(other.answers)
        problems += differences(step, *answers)
    assert not problems, "\n".join(problems)


def as_addressed(answers: list[Answer]) -> list[Answer]:
    """In resign mode a server names places as denyproxy addressed them (CompleteMultipartUpload, POST, errors)."""
    found = []
    for answer in answers:
        headers = tuple((name, "" if name.lower() == "location" else value) for name, value in answer.headers)
        body = answer.body
        if isinstance(body, bytes) and (named := PLACES.sub(rb"<\1/>", body)) != body:
            headers = tuple((name, "" if name.lower() == "content-length" else value) for name, value in headers)
            body = named
        found.append(replace(answer, headers=headers, body=body))
    return found


def differences(step: str, direct: list[Answer], through: list[Answer]) -> list[str]:
    if [it.request for it in direct] != [it.request for it in through]:
        return [f"{step}: other requests: {[it.request for it in direct]} direct, {[it.request for it in through]}"]
    if not direct:
        return [f"{step}: nothing was asked"]
    found = []
    for one, other in zip(direct, through, strict=True):
        try:
            assert_equal_but_for_the_explanation(one, other)
        except AssertionError:
            parts = [
                part for part in ("status", "reason", "headers", "body") if getattr(one, part) != getattr(other, part)
            ]
            shown = "".join(
                f"\n  {part}: {getattr(one, part)!r:.2000}\n  not {getattr(other, part)!r:.2000}" for part in parts
            )
            found.append(f"{step}: {one.request}:{shown}")
    return found


def test_every_limit_names_what_is_there() -> None:
    names = {None, *CLIENTS, *SERVERS, *ADDRESSINGS, *MODES}
    for one in LIMITS:
        assert {one.client, one.server, one.mode, one.addressing} <= names
        assert one.step in STEPS
        assert one.reason


def test_the_limits_are_documented() -> None:
    assert table() in (ROOT / "docs" / "clients.md").read_text()
