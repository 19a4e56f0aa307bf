"""`denyproxy policies DIR`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from denyproxy.cli import app
from tests.policies.build import ACCOUNT, BROKEN, details, encoded, inline, user

EXAMPLE = Path(__file__).parents[2] / "config/policies"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["policies", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_a_directory_without_problems() -> None:
    status, out, _ = run(str(EXAMPLE))
    assert status == 0
    assert "no problems" in out
    assert "buckets              3\n" in out


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "iam").mkdir()
    (tmp_path / "buckets").mkdir()
    told = details(UserDetailList=[user("ana", UserPolicyList=[inline("bad", BROKEN)]), user("ben")])
    (tmp_path / "iam/studio.json").write_bytes(encoded(told))
    (tmp_path / "buckets/b.json").write_text("{}")
    return tmp_path


def test_problems(broken: Path) -> None:
    status, out, _ = run(str(broken))
    assert status == 1
    assert "1 problem\n" in out
    place = (
        "iam/studio.json: UserDetailList[0].UserPolicyList[0].PolicyDocument.Statement[1].Effect: not a valid policy"
    )
    assert place in out
    assert "principals           2  (1 with" in out


def test_json(broken: Path) -> None:
    status, out, _ = run(str(broken), "--json")
    told = json.loads(out)
    assert status == 1
    assert told["counts"] == {
        "principals": 2,
        "access_keys": 0,
        "accounts": 0,
        "buckets": 1,
        "access_points": 0,
        "vpc_endpoints": 0,
        "kms_keys": 0,
    }
    assert (told["known_in_part"]["principals"], told["known_in_part"]["buckets"]) == (1, 1)
    assert [(problem["file"], problem["place"]) for problem in told["problems"]] == [
        ("iam/studio.json", "UserDetailList[0].UserPolicyList[0].PolicyDocument.Statement[1].Effect")
    ]
    assert ACCOUNT not in told["revision"]


def test_a_directory_that_cannot_be_read(tmp_path: Path) -> None:
    status, out, err = run(str(tmp_path / "nowhere"))
    assert (status, out) == (2, "")
    assert str(tmp_path / "nowhere") in err
    assert "no such file" in err
