"""The image: no rights, a health check that asks where the console is, settings that are settings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from denyproxy.loading import load

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)


def test_it_does_not_run_as_root() -> None:
    assert instructions("USER") == ["10001"]


def test_its_settings_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENYPROXY_CONFIG", raising=False)
    for variable, value in (line.split("=", 1) for line in instructions("ENV")):
        if variable.startswith("DENYPROXY_"):
            monkeypatch.setenv(variable, value)
    monkeypatch.setenv("DENYPROXY_UPSTREAM__URL", "http://minio:9000")
    settings = load()
    assert instructions("EXPOSE") == [str(settings.listen.port)]
    assert not settings.listen.loopback
    assert settings.console.listen is not None
    (check,) = instructions("HEALTHCHECK")
    assert f"http://{settings.console.listen}/healthz" in json.loads(check.partition("CMD ")[2])[-1]


def test_it_serves() -> None:
    assert [json.loads(line) for line in instructions("ENTRYPOINT")] == [["denyproxy", "serve"]]


def test_what_it_copies_is_in_the_build_context() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {source for line in instructions("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert copied <= allowed
    assert all((ROOT / source).exists() for source in copied)
