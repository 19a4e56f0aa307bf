"""`denyproxy demo` as a user runs it."""

from __future__ import annotations

import io
import re
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from denyproxy.demo import backend, run
from denyproxy.demo.cases import CASES, Case, Cause
from denyproxy.demo.clients import Credentials
from denyproxy.demo.show import differences, environment, program

README = Path(__file__).parent.parent.parent / "README.md"

PROC = Path("/proc")

COMMAND = [sys.executable, "-m", "denyproxy", "demo"]

CAUSES = [
    "identity > implicit > photo-reader > ReadPhotos > action",
    "bucket-policy > explicit > bucket policy > DenyUnencryptedUploads > condition:s3:x-amz-server-side-encryption",
    "identity > implicit > photo-archive > ArchivePhotos > resource",
    "identity > implicit > photo-check > CheckPhotos > action",
    "identity > implicit > share-reports > SharePublicReports > resource",
    "bucket-policy > implicit > bucket policy > EtlRead > principal",
    "identity > implicit > backup-rotation > ListNightlyBackups > condition:s3:prefix",
    "signature-mismatch > not-policy > secret",
]


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    """Skip where MiniStack can be neither found nor installed."""
    try:
        backend.find_or_install()
    except backend.BackendMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def done(installed: None) -> subprocess.CompletedProcess[str]:
    """The demo, played once with its output in a pipe."""
    return subprocess.run(COMMAND, capture_output=True, text=True, timeout=120, check=False)


def test_every_denial_is_explained_by_its_cause(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    words = " ".join(done.stdout.split())
    assert [cause for cause in CAUSES if f"cause {cause}" not in words] == []
    assert len(re.findall("^cause ", done.stdout, re.MULTILINE)) == len(CAUSES)
    assert "UNEXPECTED" not in words
    (shown_in_the_readme,) = re.findall("^X-Deny-Explanation: (.*)$", README.read_text(), re.MULTILINE)
    assert f"denyproxy {shown_in_the_readme}" in words


def test_the_output_is_plain_text_of_80_columns_when_piped(done: subprocess.CompletedProcess[str]) -> None:
    assert [line for line in done.stdout.splitlines() if len(line) > 80 or line != line.rstrip()] == []
    assert "\x1b" not in done.stdout


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [*COMMAND, "--serve", "--directory", str(tmp_path)]
    player = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert player.stdout is not None
    with player, player.stdout:
        shown = ""
        while " explain ID " not in shown:
            line = player.stdout.readline()
            assert line, shown
            shown += line
        urls = dict(re.findall(r"^(endpoint|directly) +(http://\S+)", shown, re.MULTILINE))
        assert urls.keys() == {"endpoint", "directly"}
        assert all(map(_answers, urls.values()))
        assert len(_processes(tmp_path)) >= 3
        player.send_signal(signal.SIGINT)
        assert player.wait(timeout=30) == 0
    assert not any(map(_answers, urls.values()))
    assert _processes(tmp_path) == []
    assert (tmp_path / "denials.jsonl").read_text().count("\n") == len(CAUSES)


def _answers(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


def _processes(directory: Path) -> list[str]:
    """Running processes whose command line names a directory."""
    if PROC.is_dir():
        lines = [_command_line(process) for process in PROC.glob("[0-9]*")]
    else:
        lines = subprocess.run(["ps", "-A", "-o", "args="], capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
    return [line for line in lines if str(directory) in line]


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def test_an_explanation_that_is_not_the_expected_one_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    ben = next(case for case in CASES if case.who == "ben")
    assert ben.cause is not None
    wrong = replace(ben, cause=replace(ben.cause, element="resource"))
    monkeypatch.setattr(run, "CASES", (ben, wrong))
    shown = io.StringIO()
    assert run.demo(Console(file=shown, width=80)) == 1
    assert shown.getvalue().count("element: action, expected resource") == 1


def test_a_success_that_is_denied_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    ben = next(case for case in CASES if case.who == "ben")
    monkeypatch.setattr(run, "CASES", (Case(ben.title, ben.who, ben.operation, ben.parameters, None),))
    assert run.demo(Console(file=io.StringIO(), width=80)) == 1


CAUSE = Cause("identity", "implicit", "action", "s3:PutObject", "photo-reader", "ReadPhotos")


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, ["there is no denial record"]),
        ({"verdict": "unknown-caller", "cause": None}, ["no cause was named (verdict unknown-caller)"]),
        (
            {
                "cause": {
                    "layer": "identity",
                    "effect": "implicit",
                    "element": "resource",
                    "action": "s3:PutObject",
                    "policy": None,
                    "statement": "ReadPhotos",
                }
            },
            ["element: resource, expected action", "policy: none, expected photo-reader"],
        ),
    ],
)
def test_differences_are_said_in_words(record: dict[str, object] | None, said: list[str]) -> None:
    assert differences(CAUSE, record) == said


def test_a_directory_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = subprocess.run([*COMMAND, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == f"denyproxy demo: --directory: {tmp_path} is not empty; give another, or remove it first\n"


@pytest.mark.skipif(not PROC.exists(), reason="no /proc")
def test_a_directory_that_cannot_be_made() -> None:
    ended = subprocess.run([*COMMAND, "--directory", "/proc/x"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("denyproxy demo: --directory: /proc/x cannot be used: ")
    assert ended.stderr.count("\n") == 1


def test_a_shell_becomes_a_user_s_whoever_s_it_was() -> None:
    assert environment(Credentials("AKIA1", "s", "arn")) == (
        "unset AWS_SESSION_TOKEN",
        "export AWS_ACCESS_KEY_ID=AKIA1 AWS_SECRET_ACCESS_KEY=s",
    )
    assert environment(Credentials("ASIA1", "s", "arn", "t")) == (
        "export AWS_ACCESS_KEY_ID=ASIA1 AWS_SECRET_ACCESS_KEY=s AWS_SESSION_TOKEN=t",
    )


@pytest.mark.parametrize(
    ("called", "on_path", "name"),
    [
        (".venv/bin/denyproxy", None, ".venv/bin/denyproxy"),
        (".venv/bin/denyproxy", "/usr/bin/denyproxy", "denyproxy"),
        ("/x/denyproxy/__main__.py", None, "denyproxy"),
    ],
)
def test_the_program_by_the_name_under_which_it_can_be_called(
    monkeypatch: pytest.MonkeyPatch, called: str, on_path: str | None, name: str
) -> None:
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda _: on_path)
    assert program() == name
