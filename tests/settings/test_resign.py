"""Keys of the resign mode: where they are read from, and that no message repeats a secret."""

from __future__ import annotations

import logging
import stat
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from denyproxy.cli import app
from denyproxy.loading import load
from denyproxy.proxy.errors import NoCredentials
from denyproxy.proxy.modes import Forward, Passthrough
from denyproxy.proxy.resign import Resign
from denyproxy.proxy.signers import ClientKey, SameKeys
from denyproxy.proxy.upstream import UpstreamRequest, UpstreamResponse
from denyproxy.resigning import client_keys, upstream_signers
from denyproxy.settings import Settings, SettingsError
from denyproxy.sigv4.credentials import Credentials
from denyproxy.upstream_credentials import RefreshedSigner
from denyproxy.wiring import modes

BEN = "arn:aws:iam::111122223333:user/ben"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DENYPROXY_CONFIG", raising=False)


def settings(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "denyproxy.toml"
    file.write_text(text)
    return load(config=file)


def secret_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_stand_in_the_settings_in_files_of_their_own_and_in_one_file(tmp_path: Path) -> None:
    secret_file(tmp_path / "secret", "from a file\n")
    secret_file(tmp_path / "clients.toml", f'[AKIACLIENTS]\nsecret = "from the table"\nprincipal = "{BEN}"\n')
    found = client_keys(
        settings(
            tmp_path,
            'resign.upstream = "aws"\n'
            'resign.credentials.AKIAHERE.secret = "here"\n'
            f'resign.credentials.AKIAFILE.secret_file = "{tmp_path}/secret"\n'
            f'resign.credentials_file = "{tmp_path}/clients.toml"\n',
        ).resign
    )
    assert found == {
        "AKIAHERE": ClientKey(Credentials("AKIAHERE", "here")),
        "AKIAFILE": ClientKey(Credentials("AKIAFILE", "from a file")),
        "AKIACLIENTS": ClientKey(Credentials("AKIACLIENTS", "from the table"), BEN),
    }


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "there is no access key that a client could sign with"),
        ('resign.credentials_file = "/nonexistent"', "/nonexistent cannot be read"),
        ('resign.credentials.A.secret_file = "/nonexistent"', "resign.credentials.A.secret_file: /nonexistent"),
        ('resign.credentials.A.secret = ""', "the secret is empty"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, lines: str, message: str) -> None:
    loaded = settings(tmp_path, f'resign.upstream = "aws"\n{lines}\n')
    with pytest.raises(SettingsError, match=message):
        client_keys(loaded.resign)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[A]\nsecret = "topsecret"\nsecret_file = "f"\n', "either secret or secret_file"),
        ('[A]\nsecret = "topsecret"\nother = 1\n', "A.other"),
        ("[A]\nsecret = 7777777\n", "A.secret"),
        ('[A]\nsecret = "topsecret\n', "is not TOML"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_without_its_secrets(tmp_path: Path, text: str, message: str) -> None:
    path = secret_file(tmp_path / "clients.toml", text)
    loaded = settings(tmp_path, f'resign.upstream = "aws"\nresign.credentials_file = "{path}"\n')
    with pytest.raises(SettingsError) as error:
        client_keys(loaded.resign)
    assert message in str(error.value)
    assert "topsecret" not in str(error.value)
    assert "7777777" not in str(error.value)


@pytest.mark.parametrize(
    "line", ["credentials.A.secret = 7777777", "credentials.A = 7777777", "key.secret = 7777777", "key = 7777777"]
)
def test_the_loaders_messages_repeat_no_secret(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings(tmp_path, f'resign.upstream = "aws"\nresign.{line}\n')
    assert "resign." in str(error.value)
    assert "7777777" not in str(error.value)


def test_settings_do_not_show_secrets(tmp_path: Path) -> None:
    loaded = settings(tmp_path, 'resign.upstream = "aws"\nresign.credentials.A.secret = "topsecret"\n')
    assert "topsecret" not in repr(loaded)
    assert "topsecret" not in loaded.model_dump_json()


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_a_file_that_others_may_read_is_named(
    tmp_path: Path, mode: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = secret_file(tmp_path / "clients.toml", '[A]\nsecret = "s"\n', mode)
    loaded = settings(tmp_path, f'resign.upstream = "aws"\nresign.credentials_file = "{path}"\n')
    with caplog.at_level(logging.WARNING):
        client_keys(loaded.resign)
    assert ("chmod 600" in caplog.text) is warned


def test_what_signs_for_the_upstream(tmp_path: Path) -> None:
    aws = 'resign.upstream = "aws"\n'
    assert isinstance(upstream_signers(settings(tmp_path, aws)), SameKeys)
    pair = 'resign.key = {access_key_id = "AKIAUP", secret = "s", session_token = "t"}\n'
    one = upstream_signers(settings(tmp_path, aws + pair + f'resign.principal = "{BEN}"\n'))
    signer = one.signer(ClientKey(Credentials("A", "s")))
    assert (signer.credentials, signer.principal) == (Credentials("AKIAUP", "s", "t"), BEN)
    chain = upstream_signers(settings(tmp_path, aws + 'resign.sign_with = "chain"\n'))
    assert isinstance(chain, RefreshedSigner)
    with pytest.raises(NoCredentials):
        chain.signer(ClientKey(Credentials("A", "s")))


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (
            '{access_key_id = "A", secret = "topsecret", session_token = "topsecret\\n"}',
            "resign.key: the session token",
        ),
        ('{access_key_id = "A\\r", secret = "topsecret"}', "resign.key: the access key id"),
    ],
)
def test_a_line_break_in_a_key_of_the_upstream_is_told(tmp_path: Path, key: str, place: str) -> None:
    """With it every request would forge a header field."""
    with pytest.raises(SettingsError) as error:
        upstream_signers(settings(tmp_path, f'resign.upstream = "aws"\nresign.key = {key}\n'))
    assert place in str(error.value)
    assert "topsecret" not in str(error.value)


def test_a_region_is_a_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"resign\.region"):
        settings(tmp_path, 'resign.upstream = "aws"\nresign.region = "eu west"\n')


async def _send(request: UpstreamRequest) -> UpstreamResponse:
    raise AssertionError(request)


def test_the_order_of_the_modes(tmp_path: Path) -> None:
    text = (
        'upstream.url = "http://127.0.0.1:9000"\nforward.enabled = true\nresign.upstream = "aws"\n'
        'resign.credentials.A.secret = "s"\n'
    )
    found = modes(settings(tmp_path, text), {}, SameKeys(), _send)
    assert [type(mode) for mode in found] == [Forward, Resign, Passthrough]


def test_resign_alone_is_somewhere_to_go(tmp_path: Path) -> None:
    loaded = settings(tmp_path, 'resign.upstream = "http://127.0.0.1:9000"\nresign.credentials.A.secret = "s"\n')
    assert [mode.name for mode in modes(loaded, {}, SameKeys(), _send)] == ["resign"]
    with pytest.raises(SettingsError, match=r"resign\.upstream"):
        settings(tmp_path, "")
    with pytest.raises(SettingsError, match="http:// or https:// URL"):
        settings(tmp_path, 'resign.upstream = "amazon"\n')


# denyproxy credentials


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["credentials", *words])
    return done.exit_code, done.output


def test_a_new_pair_is_printed_for_the_file_and_for_the_application() -> None:
    code, output = run("new", "--principal", BEN)
    assert code == 0
    ((key_id, entry),) = tomllib.loads(output).items()
    assert entry["principal"] == BEN
    assert f"# AWS_ACCESS_KEY_ID={key_id}\n# AWS_SECRET_ACCESS_KEY={entry['secret']}\n" in output
    assert (len(key_id), len(entry["secret"])) == (20, 40)
    assert run("new")[1] != output


def test_pairs_are_added_to_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    outputs = [run("new", "--file", str(path), *more) for more in ((), ("--principal", BEN))]
    assert [code for code, _ in outputs] == [0, 0]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = settings(tmp_path, f'resign.upstream = "aws"\nresign.credentials_file = "{path}"\n')
    found = client_keys(loaded.resign)
    assert [key.principal for key in found.values()] == [None, BEN]
    for (_, output), key in zip(outputs, found.values(), strict=True):
        credentials = key.credentials
        assert output == (
            f"AWS_ACCESS_KEY_ID={credentials.access_key_id}\nAWS_SECRET_ACCESS_KEY={credentials.secret_access_key}\n"
        )


@pytest.mark.parametrize("words", [["old"], ["new", "--principal", "ben"], ["new", "--file", "/nonexistent/clients"]])
def test_what_cannot_be_made(words: list[str]) -> None:
    code, output = run(*words)
    assert code == 2
    assert output.startswith("denyproxy: ")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[AKIAA]\nsecret = "topsecret\n', "line 2: not TOML"),
        ('[AKIAA]\nsecret = "topsecret"\n[AKIAA]\n', "line 3: not TOML"),
    ],
)
def test_a_pair_is_not_added_to_a_file_that_is_broken(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(text)
    status, out = run("new", "--file", str(path))
    assert status == 2
    assert f"{path}: {complaint}" in out
    assert "topsecret" not in out
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        ('upstream = "aws"\n', True),
        ('upstream = "aws"\nsign_with = "chain"\nprincipal = "arn:aws:iam::111122223333:user/ben"\n', False),
        ('upstream = "http://127.0.0.1:9000"\n', False),
    ],
)
def test_a_key_of_ones_own_is_nobody_s_at_aws(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lines: str, warned: bool
) -> None:
    loaded = settings(tmp_path, f'[resign]\n{lines}credentials.DENYABC.secret = "s"\n')
    modes(loaded, client_keys(loaded.resign), upstream_signers(loaded), _send)
    said = [record.getMessage() for record in caplog.records if "DENYABC" in record.getMessage()]
    assert bool(said) is warned
    assert all("--sign-with chain" in message for message in said)


@pytest.mark.parametrize(
    "url", ["https://s3.amazonaws.com", "http://s3.eu-west-1.amazonaws.com", "https://b.s3.amazonaws.com"]
)
def test_aws_is_no_upstream_of_the_passthrough(tmp_path: Path, url: str) -> None:
    loaded = settings(tmp_path, f'upstream.url = "{url}"\n')
    with pytest.raises(SettingsError, match=r"--forward \(HTTP_PROXY\), or --resign aws"):
        modes(loaded, {}, SameKeys(), _send)
