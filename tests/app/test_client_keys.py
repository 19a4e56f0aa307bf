"""The clients' keys of the resign mode, read again on SIGHUP."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from denyproxy.sigv4.credentials import Credentials
from tests.app.test_serve import Served, serving
from tests.proxy.test_resign import ask
from tests.proxy.wire import OK, PATIENCE, answering, upstream

OLD, NEW = Credentials("DENYOLD", "old secret"), Credentials("DENYNEW", "new secret")


def write(path: Path, *keys: Credentials) -> None:
    path.write_text("".join(f'[{key.access_key_id}]\nsecret = "{key.secret_access_key}"\n' for key in keys))
    path.chmod(0o600)


async def status(served: Served, key: Credentials) -> int:
    """What a request is answered that is signed with a key, on a connection of its own."""
    async with served.connect() as wire:
        await wire.send(ask(credentials=key))
        return (await wire.message()).status


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_sighup_reads_the_clients_keys_again(tmp_path: Path, workers: str) -> None:
    """A key that was added is known, one that is gone is not; a file that is broken is told, and not used."""
    keys, config = tmp_path / "clients.toml", tmp_path / "denyproxy.toml"
    write(keys, OLD)
    async with upstream(answering(OK)) as port:
        config.write_text(f'resign.upstream = "http://127.0.0.1:{port}"\nresign.credentials_file = "{keys}"\n')
        async with serving("--config", str(config), "--workers", workers) as served:
            assert [await status(served, key) for key in (OLD, NEW)] == [200, 403]
            write(keys, NEW)
            served.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE):
                for _ in range(16):  # in a row: all workers have it
                    while [await status(served, key) for key in (OLD, NEW)] != [403, 200]:
                        pass
            keys.write_text("broken")
            served.process.send_signal(signal.SIGHUP)
            assert served.process.stderr is not None
            while b"is not TOML; the last keys stay" not in await asyncio.wait_for(
                served.process.stderr.readline(), PATIENCE
            ):
                pass
            assert [await status(served, key) for key in (OLD, NEW)] == [403, 200]
