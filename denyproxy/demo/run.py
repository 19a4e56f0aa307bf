"""The demo from start to end."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
from rich.console import Console

from denyproxy.demo import backend, front, show
from denyproxy.demo.cases import CASES, Case, send
from denyproxy.demo.clients import client, session
from denyproxy.demo.export import Source, export
from denyproxy.demo.front import Front
from denyproxy.demo.world import World, build


class DirectoryUnusable(Exception):
    """The directory that was to keep the files cannot; the text says why."""


def demo(console: Console, *, serve: bool = False, directory: Path | None = None) -> int:
    """Play all cases; with `serve`, then wait for KeyboardInterrupt. Returns how many did not go as they should.

    `directory` (empty or not there yet) keeps policies, configuration and log; None: a temporary one.
    Raises BackendMissing, ServerFailed, DirectoryUnusable.
    """
    boto = session()
    with _directory(directory) as place, contextlib.ExitStack() as servers:
        server = servers.enter_context(backend.running(place, say=console.print))
        world = build(server, boto)
        export_world(world, boto, place / "policies")
        proxy = servers.enter_context(front.running(place, server.endpoint, place / "policies"))
        console.print(f"MiniStack, which enforces IAM, answers at {server.endpoint};")
        console.print(f"denyproxy, in front of it, at {proxy.endpoint}.")
        failed = sum(_play(console, number, case, world, boto, proxy) for number, case in enumerate(CASES, 1))
        show.summary(console, sum(case.cause is not None for case in CASES), failed)
        if serve:
            show.playground(console, world, proxy)
            threading.Event().wait()
        show.next_steps(console, proxy, kept=directory is not None)
    return failed


def export_world(world: World, boto: boto3.Session, directory: Path) -> None:
    """Write the policy directory of a world, its temporary keys included."""
    endpoint = world.backend.endpoint
    sources = [
        Source(account, client(boto, "iam", endpoint, root), client(boto, "s3", endpoint, root))
        for account, root in world.roots.items()
    ]
    sessions = {who.access_key_id: who.arn for who in world.people.values() if who.session_token}
    export(sources, directory, sessions)


def _play(console: Console, number: int, case: Case, world: World, boto: boto3.Session, proxy: Front) -> bool:
    """Send one case, show it, and say whether it failed."""
    show.request(console, number, case)
    answer = send(case, world, boto, proxy.endpoint)
    if case.cause is None or answer.status != 403:
        show.success(console, answer)
        problems = [] if case.cause is None and answer.status == 200 else [f"S3 answered {answer.status}"]
    else:
        explanation_id = answer.headers.get("x-deny-explanation-id")
        record = proxy.record(explanation_id) if explanation_id else None
        show.denial(console, answer, record)
        problems = show.differences(case.cause, record)
    show.verdict(console, problems)
    return bool(problems)


@contextlib.contextmanager
def _directory(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="denyproxy-demo-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    else:
        yield _made(directory)


def _made(directory: Path) -> Path:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        occupied = any(directory.iterdir())
    except OSError as error:
        raise DirectoryUnusable(f"--directory: {directory} cannot be used: {error.strerror or error}") from None
    if occupied:
        raise DirectoryUnusable(f"--directory: {directory} is not empty; give another, or remove it first")
    return directory.resolve()
