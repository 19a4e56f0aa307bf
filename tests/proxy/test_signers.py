"""Credentials for the upstream: refreshed in the background, and never waited for."""

from __future__ import annotations

import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from denyproxy.proxy.errors import NoCredentials
from denyproxy.proxy.signers import ClientKey, OnePair, SameKeys, Signer
from denyproxy.sigv4.credentials import Credentials
from denyproxy.upstream_credentials import Loaded, RefreshedSigner, botocore_chain
from tests.proxy.wire import PATIENCE

START = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CLIENT = ClientKey(Credentials("AKIALOCAL", "local"), "arn:aws:iam::111122223333:user/app")
HOUR = timedelta(hours=1)


class World:
    """A clock that is set by hand, and a source of credentials that last an hour, or fails."""

    def __init__(self) -> None:
        self.now = START
        self.count = 0
        self.fails = False

    def load(self) -> Loaded:
        if self.fails:
            raise OSError("no route to the source")
        self.count += 1
        return Loaded(Credentials(f"ASIA{self.count}", "secret", "token"), self.now + HOUR)

    def signer(self, **more: object) -> RefreshedSigner:
        return RefreshedSigner(self.load, clock=lambda: self.now, **more)  # type: ignore[arg-type]


def key_of(signer: RefreshedSigner) -> str:
    return signer.signer(CLIENT).credentials.access_key_id


def test_the_clients_own_and_one_pair_for_all() -> None:
    assert SameKeys().signer(CLIENT) == Signer(CLIENT.credentials, CLIENT.principal)
    own = Signer(Credentials("AKIAUP", "up"), "arn:aws:iam::111122223333:role/up")
    assert OnePair(own).signer(CLIENT) is own


def test_before_the_first_ones_there_is_an_error_that_sdks_retry() -> None:
    with pytest.raises(NoCredentials, match="still being loaded") as error:
        World().signer().signer(CLIENT)
    assert (error.value.status, error.value.code) == (503, "ServiceUnavailable")


def test_new_ones_replace_the_old_ones() -> None:
    world = World()
    signer = world.signer()
    assert 0 < signer.refresh() <= 60
    assert key_of(signer) == "ASIA1"
    world.now += timedelta(minutes=50)
    signer.refresh()
    assert key_of(signer) == "ASIA2"


def test_a_failure_keeps_the_last_good_ones_until_they_expire(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    signer = world.signer()
    signer.refresh()
    world.fails = True
    world.now += HOUR - timedelta(seconds=1)
    with caplog.at_level(logging.WARNING):
        waits = [signer.refresh() for _ in range(8)]
    assert "no route to the source" in caplog.text
    assert waits == sorted(waits)
    assert waits[0] < 5
    assert waits[-1] <= 60
    assert key_of(signer) == "ASIA1"
    world.now += timedelta(seconds=1)
    with pytest.raises(NoCredentials, match=r"have expired: .*OSError") as error:
        signer.signer(CLIENT)
    assert "no route" not in error.value.message
    world.fails = False
    assert signer.refresh() > 1
    assert key_of(signer) == "ASIA2"


def test_credentials_that_have_expired_are_none() -> None:
    world = World()
    signer = RefreshedSigner(lambda: Loaded(Credentials("ASIAOLD", "s"), START), clock=lambda: world.now)
    signer.refresh()
    with pytest.raises(NoCredentials):
        signer.signer(CLIENT)


def test_short_lived_ones_are_asked_for_in_time() -> None:
    signer = RefreshedSigner(
        lambda: Loaded(Credentials("ASIA", "s"), START + timedelta(seconds=40)), clock=lambda: START
    )
    assert signer.refresh() <= 20


def test_requests_do_not_wait_for_a_source_that_hangs() -> None:
    """The thread sits in its second load; the first ones go on signing."""
    world, hangs, release = World(), threading.Event(), threading.Event()

    def load() -> Loaded:
        if world.count:
            hangs.set()
            release.wait(PATIENCE)
        return world.load()

    signer = RefreshedSigner(load, clock=lambda: world.now, wait=lambda stop, seconds: None)
    signer.start()
    try:
        assert hangs.wait(PATIENCE)
        assert key_of(signer) == "ASIA1"
    finally:
        signer.stop()
        release.set()


def test_whose_they_are_is_asked_until_it_is_known() -> None:
    world = World()
    answers: list[object] = [OSError("no STS"), "arn:aws:sts::111122223333:assumed-role/up/i-1"]

    def identify(credentials: Credentials) -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    loaded = world.load()
    signer = RefreshedSigner(lambda: loaded, identify, clock=lambda: world.now)
    signer.refresh()
    assert signer.signer(CLIENT).principal is None
    signer.refresh()
    assert signer.signer(CLIENT).principal == "arn:aws:sts::111122223333:assumed-role/up/i-1"
    signer.refresh()
    assert answers == []


def test_a_principal_that_is_configured_is_not_asked_for() -> None:
    def identify(credentials: Credentials) -> str | None:
        raise AssertionError

    signer = World().signer(identify=identify, principal="arn:aws:iam::111122223333:role/up")
    signer.refresh()
    assert signer.signer(CLIENT).principal == "arn:aws:iam::111122223333:role/up"


def test_secrets_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        signer = World().signer()
        signer.refresh()
    assert "ASIA1" in caplog.text
    for text in (caplog.text, repr(signer.signer(CLIENT)), repr(CLIENT)):
        assert "secret" not in text.replace("secret_access_key", "")
        assert "token" not in text.replace("session_token", "")
        assert "local'" not in text


def test_botocores_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "one")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    load = botocore_chain(None)
    assert load() == Loaded(Credentials("AKIAENV", "one", "token"), None)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "two")
    assert load().credentials.secret_access_key == "two"


def test_botocores_chain_without_any(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(LookupError, match="botocore's chain"):
        botocore_chain(None)()


def test_botocores_chain_with_credentials_that_expire(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A source that is run each time (credential_process), as SSO, roles and IMDS are asked each time."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    answer = {"Version": 1, "AccessKeyId": "ASIAPROC", "SecretAccessKey": "s", "SessionToken": "t"}
    expires = datetime.now(UTC).replace(microsecond=0) + HOUR
    (tmp_path / "answer").write_text(json.dumps({**answer, "Expiration": expires.isoformat()}))
    (tmp_path / "config").write_text(f"[profile up]\ncredential_process = cat {tmp_path / 'answer'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    loaded = botocore_chain("up")()
    assert loaded == Loaded(Credentials("ASIAPROC", "s", "t"), expires)
