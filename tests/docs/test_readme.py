"""What the README says exists, and what it shows is true."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from denyproxy.cli import app
from denyproxy.iam.document import PolicyList
from denyproxy.iam.truth import UNKNOWN
from denyproxy.policies.directory import load_directory
from denyproxy.s3.snapshot import BlockPublicAccess
from denyproxy.settings import Address, Settings

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PROSE = re.sub(r"^```\w+\n.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def commands(program: str) -> list[list[str]]:
    """The words of every command line of a program, without comments."""
    lines = [shlex.split(line, comments=True) for text in blocks("sh") for line in text.splitlines() if "|" not in line]
    return [words for words in lines if words and Path(words[0]).name == program]


def help_of(command: str) -> str:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_there_are_commands_to_check() -> None:
    assert {words[1] for words in commands("denyproxy")} == {"serve", "explain", "policies", "credentials", "demo"}
    targets = {"demo", "test", "test-all", "lint", "bench", "s3-tests", "differential", "mutation"}
    assert {words[1] for words in commands("make")} == targets


@pytest.mark.parametrize("words", commands("denyproxy"), ids=" ".join)
def test_every_option_of_a_command_exists(words: list[str]) -> None:
    options = [word for word in words if word.startswith("--")]
    shown = help_of(words[1]).split()
    assert [option for option in options if option not in shown] == []


def test_every_option_in_the_text_exists() -> None:
    commands = ("serve", "explain", "policies", "credentials", "demo")
    shown = {word for command in commands for word in help_of(command).split()}
    options = {word for code in re.findall(r"`([^`]+)`", PROSE) for word in code.split() if word.startswith("--")}
    options -= {"--strict"}
    assert options
    assert options <= shown


EXPLAIN = [words for words in commands("denyproxy") if words[1] == "explain" and "--log" not in words]
"""The example of a past denial needs a log of one's own."""


@pytest.mark.parametrize("words", EXPLAIN, ids=" ".join)
def test_the_examples_of_explain_explain(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == ("--as" in words)
    assert "Why" in done.output or "verdict" in done.output


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_every_make_target_exists(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{re.escape(words[1])}:", makefile, re.MULTILINE)


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    paths = re.findall(r"`((?:config|denyproxy|docs|tests)/[\w./-]+)`", README)
    assert links
    assert [path for path in links + paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("text", blocks("python"))
def test_the_python_is_python(text: str) -> None:
    ast.parse(text)


def shown_headers() -> dict[str, str]:
    (text,) = blocks("http")
    return dict(line.split(": ", 1) for line in text.splitlines()[1:])


def test_the_header_shown_is_one_bounded_line_of_ascii() -> None:
    headers = shown_headers()
    assert headers.keys() == {"X-Deny-Explanation", "X-Deny-Explanation-Id"}
    assert headers["X-Deny-Explanation"].isascii()
    assert len(headers["X-Deny-Explanation"]) <= 1024


def settings_with_defaults(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        if isinstance(default, BaseModel) and not isinstance(default, Address):
            yield from settings_with_defaults(type(default), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", as_toml(default)


def as_toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Address):
        value = str(value)
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def test_the_table_of_settings_is_complete_and_its_defaults_are_right() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \|(.*?)\| .* \|$", README, re.MULTILINE)
    assert {key: default.strip() for key, default in rows} == dict(settings_with_defaults(Settings))


ANSWERS = {
    "get-bucket-policy": '{"Policy": "{\\"Version\\": \\"2012-10-17\\", \\"Statement\\": []}"}',
    "get-bucket-encryption": json.dumps(
        {
            "ServerSideEncryptionConfiguration": {
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
            }
        }
    ),
    "get-bucket-ownership-controls": '{"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}',
    "get-public-access-block": '{"PublicAccessBlockConfiguration": {"BlockPublicAcls": true}}',
    "get-bucket-request-payment": '{"Payer": "BucketOwner"}',
    "get-bucket-acl": '{"Owner": {"ID": "abc"}, "Grants": []}',
    "get-bucket-versioning": '{"Status": "Enabled"}',
    "get-bucket-location": '{"LocationConstraint": null}',
}
"""What AWS answers on the bucket `full`."""
ERRORS = {
    "get-bucket-policy": "NoSuchBucketPolicy",
    "get-bucket-encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "get-bucket-ownership-controls": "OwnershipControlsNotFoundError",
    "get-public-access-block": "NoSuchPublicAccessBlockConfiguration",
    "get-bucket-acl": "AccessDenied",
}
"""And on the bucket `bare`, where it answers anything else with nothing."""


@pytest.mark.skipif(shutil.which("jq") is None, reason="no jq")
def test_the_recipe_writes_a_policy_directory(tmp_path: Path) -> None:
    (recipe,) = (text for text in blocks("sh") if "for bucket in" in text)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "aws"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nanswers, errors = {ANSWERS!r}, {ERRORS!r}\n"
        "service, call = sys.argv[1:3]\nbucket = sys.argv[4] if '--bucket' in sys.argv else None\n"
        "if service == 'sts': print('111122223333')\n"
        "elif service == 'iam': print('{}')\n"
        "elif call == 'list-buckets': print('full\\tbare')\n"
        "elif bucket == 'full': print(answers[call])\n"
        "elif call in errors: sys.exit(f'An error occurred ({errors[call]}) when calling it')\n"
    )
    program.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    ended = subprocess.run(
        ["sh", "-e", "-c", recipe], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count(b"\n") == 1
    assert b"bare: An error occurred (AccessDenied)" in ended.stderr
    made = load_directory(tmp_path / "policies")
    # The document of `full` has no statements.
    assert [(problem.file, problem.place) for problem in made.problems] == [("buckets/full.json", "Policy.Statement")]
    full, bare = made.bucket("full"), made.bucket("bare")
    assert (full.account, full.region, full.default_encryption) == ("111122223333", "us-east-1", "AES256")
    assert (full.object_ownership, full.request_payer, full.grants) == ("BucketOwnerEnforced", "BucketOwner", ())
    assert (full.versioning, full.block_public_access.block_public_acls) == ("Enabled", True)
    assert (bare.policy, bare.object_ownership, bare.default_encryption) == (PolicyList(), "ObjectWriter", None)
    assert bare.block_public_access == BlockPublicAccess()
    assert bare.grants is UNKNOWN
