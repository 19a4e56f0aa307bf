"""Where settings come from, which one wins, and how what is wrong is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from denyproxy.loading import load
from denyproxy.settings import Address, Settings, SettingsError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DENYPROXY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "denyproxy.toml"


def _error(**arguments: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(**arguments)
    return str(caught.value).splitlines()


def test_an_upstream_is_enough() -> None:
    """`denyproxy serve --upstream URL` works without a file; it listens on loopback, and the console is off."""
    settings = load({"upstream": {"url": "http://127.0.0.1:9000"}})
    assert str(settings.listen) == "127.0.0.1:9090"
    assert settings.listen.loopback
    assert settings.console.listen is None
    assert settings.disclosure == "auto"
    assert (settings.response.message, settings.response.header_bytes) == ("append", 1024)
    assert settings.log.destination == "-"
    assert settings.policies.directory is None


def test_forward_is_enough() -> None:
    """Hosts are those of S3 in every AWS partition by default."""
    settings = load({"forward": {"enabled": True}})
    assert settings.forward.allowed_hosts == ("aws",)


def test_nowhere_to_go() -> None:
    """Told how to name an upstream."""
    (line,) = _error()
    assert "upstream.url (--upstream)" in line
    assert "--forward" in line


def test_the_command_line_wins_over_the_environment_and_that_over_the_file(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Member by member, not table by table."""
    config.write_text('[upstream]\nurl = "http://file"\nkind = "ceph"\n[log]\ndestination = "file"\n')
    monkeypatch.setenv("DENYPROXY_UPSTREAM__URL", "http://environment")
    monkeypatch.setenv("DENYPROXY_LOG__DESTINATION", "environment")
    settings = load({"upstream": {"url": "http://line"}}, config=config)
    assert settings.upstream.url == "http://line"
    assert settings.upstream.kind == "ceph"
    assert settings.log.destination == "environment"


def test_the_file_may_be_named_by_the_environment(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DENYPROXY_CONFIG."""
    config.write_text('upstream.url = "http://file"\n')
    monkeypatch.setenv("DENYPROXY_CONFIG", str(config))
    assert load().upstream.url == "http://file"


def test_environment_values_are_written_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """No JSON for lists and addresses."""
    monkeypatch.setenv("DENYPROXY_LISTEN", "[::1]:0")
    monkeypatch.setenv("DENYPROXY_CONSOLE__LISTEN", "127.0.0.1:9091")
    monkeypatch.setenv("DENYPROXY_FORWARD__ENABLED", "true")
    monkeypatch.setenv("DENYPROXY_FORWARD__ALLOWED_HOSTS", "aws, minio.example.com:9000")
    monkeypatch.setenv("DENYPROXY_BASE_DOMAINS", "s3.example.com")
    settings = load()
    assert settings.listen == Address(host="::1", port=0)
    assert str(settings.console.listen) == "127.0.0.1:9091"
    assert settings.forward.allowed_hosts == ("aws", "minio.example.com:9000")
    assert settings.base_domains == ("s3.example.com",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('listen = "9090"', "listen: '9090' is not HOST:PORT, such as 127.0.0.1:9090"),
        ('listen = "::1:9090"', "is not HOST:PORT"),
        ("listen = 9091", 'listen: is "HOST:PORT" in quotes, such as "127.0.0.1:9091", not 9091'),
        ("listen = true", 'listen: is "HOST:PORT" in quotes'),
        ('listen = "localhost:99999"', "listen.port"),
        ('lisen = "127.0.0.1:1"', "lisen: there is no such setting; did you mean listen?"),
        ('[upstream]\nurll = "x"', "upstream.urll: there is no such setting; did you mean url?"),
        ("[upstream]\nzzz = 1", "upstream.zzz: there is no such setting; known ones: ca_file, kind, url, verify"),
        ('upstream = "http://a"', "upstream: is a table; set its members: ca_file, kind, url, verify"),
        ('upstream.url = "ftp://a"', "upstream.url: 'ftp://a' is not an http:// or https:// URL"),
        ('upstream.url = "127.0.0.1:9000"', "upstream.url: '127.0.0.1:9000' is not an http:// or https:// URL"),
        ('upstream.url = "http://a/b"', "upstream.url: an upstream is scheme, host and port only"),
        ('upstream.url = "http://a:x"', "upstream.url: 'http://a:x' has no valid port"),
        ('upstream.kind = "azure"', "upstream.kind: input should be 'aws', 'minio', 'ceph' or 'other'"),
        ("timeouts.connect = 0", "timeouts.connect: input should be greater than 0, but it is 0"),
        ("response.header_bytes = 100000", "response.header_bytes: input should be less than or equal to 8192"),
        ('forward.enabled = "maybe"', "forward.enabled: input should be a valid boolean"),
        ('disclosure = "some"', "disclosure: input should be 'full', 'summary', 'id' or 'auto'"),
        ("listen =", "is not TOML"),
    ],
)
def test_problems_name_file_and_key_and_remedy(config: Path, text: str, expected: str) -> None:
    """One line, in plain words."""
    config.write_text(text)
    lines = _error(config=config)
    assert any(line.startswith(f"{config}: ") and expected in line for line in lines), lines


def test_all_problems_are_told_at_once(config: Path) -> None:
    """No mending by instalments."""
    config.write_text('listen = "x"\n[timeouts]\nconnect = 0\n')
    assert len(_error(config=config)) == 2


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"DENYPROXY_UPSTREAM__URL": "ftp://a"},
            "environment variable DENYPROXY_UPSTREAM__URL: 'ftp://a' is not an http:// or https:// URL",
        ),
        ({"DENYPROXY_UPSTREAM__URLL": "x"}, "environment variable DENYPROXY_UPSTREAM__URLL: there is no such setting"),
        ({"DENYPROXY_UPSTRAEM__URL": "x"}, "environment variable DENYPROXY_UPSTRAEM__URL: there is no such setting"),
        ({"DENYPROXY_LISTEM": "x"}, "did you mean DENYPROXY_LISTEN?"),
    ],
)
def test_problems_name_the_variable(
    environment: Mapping[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it can be mended."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert any(expected in line for line in _error())


def test_problems_name_the_option() -> None:
    """As it was typed."""
    (line,) = _error(given={"upstream": {"url": "nope"}}, options={"upstream.url": "--upstream"})
    assert line == "--upstream: 'nope' is not an http:// or https:// URL"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Named, with where the name came from."""
    (line,) = _error(config=tmp_path / "none.toml")
    assert line.startswith(f"{tmp_path / 'none.toml'}: cannot be read (No such file or directory)")


def test_declared_facts(config: Path) -> None:
    """Condition keys have colons; a value or several."""
    config.write_text(
        'upstream.url = "http://a"\n[declared]\nabsent = ["aws:SourceVpc"]\n'
        '[declared.context]\n"aws:SourceIp" = "203.0.113.7"\n"aws:PrincipalOrgPaths" = ["o-1/r-1/", "o-1/r-2/"]\n'
    )
    declared = load(config=config).declared
    assert declared.context == {"aws:SourceIp": "203.0.113.7", "aws:PrincipalOrgPaths": ("o-1/r-1/", "o-1/r-2/")}
    assert declared.absent == ("aws:SourceVpc",)


@pytest.mark.parametrize(
    ("listen", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.8.8.8:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("0.0.0.0:1", False),
        (":1", False),
        ("[::]:1", False),
        ("10.0.0.1:1", False),
        ("127.evil.example:1", False),
    ],
)
def test_loopback(listen: str, loopback: bool) -> None:
    """It decides what a denied caller may learn by default."""
    settings: Settings = load({"upstream": {"url": "http://a"}, "listen": listen})
    assert settings.listen.loopback is loopback
