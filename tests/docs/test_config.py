"""The example configuration runs as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from denyproxy.loading import load
from denyproxy.policies import load_directory

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "config" / "denyproxy.toml"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENYPROXY_CONFIG", raising=False)


def test_the_example_loads() -> None:
    settings = load(config=CONFIG)
    assert settings.upstream.url == "http://127.0.0.1:9000"
    assert settings.policies.directory == Path("config/policies")
    assert str(settings.console.listen) == "127.0.0.1:9091"


def test_it_names_every_table_but_the_limits() -> None:
    tables = {name for name, value in tomllib.loads(CONFIG.read_text()).items() if isinstance(value, dict)}
    assert tables == {"upstream", "forward", "resign", "policies", "response", "log", "console", "declared"}


def test_the_example_policies_have_no_problems() -> None:
    snapshot = load_directory(ROOT / "config" / "policies")
    assert snapshot.problems == ()
    assert snapshot.principals
    assert snapshot.buckets
