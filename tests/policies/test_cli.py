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
    assert "users                2\n" in out
    assert "roles                1\n" in out
    assert "groups               1\n" in out
    assert "managed policies     2\n" in out
    assert "scps                 1\n" in out
    assert "warning" not in out


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
        "users": 2,
        "roles": 0,
        "groups": 0,
        "managed_policies": 0,
        "scps": 0,
        "rcps": 0,
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


def test_what_is_not_known_of_a_bucket_and_the_command_that_tells_it(broken: Path) -> None:
    (broken / "buckets/b.json").write_text('{"Account": "111122223333", "Region": "us-east-1", "Policy": null}')
    _, out, _ = run(str(broken))
    assert (
        "not known of buckets (each: aws s3api COMMAND --bucket NAME)\n"
        "  b: OwnershipControls (get-bucket-ownership-controls), "
        "PublicAccessBlockConfiguration (get-public-access-block), "
        "ServerSideEncryptionConfiguration (get-bucket-encryption), "
        "RequestPayment (get-bucket-request-payment), Versioning (get-bucket-versioning), Acl (get-bucket-acl)\n"
    ) in out
    told = json.loads(run(str(broken), "--json")[1])
    assert told["unknown"]["b"][0] == "OwnershipControls (get-bucket-ownership-controls)"


def test_an_empty_directory_says_what_belongs_there(tmp_path: Path) -> None:
    status, _, err = run(str(tmp_path))
    assert status == 1
    assert f"{tmp_path}: nothing was found; a policy directory consists of iam/, buckets/, accounts/, " in err


def test_warnings_do_not_change_the_exit_status(tmp_path: Path) -> None:
    (tmp_path / "buckets").mkdir()
    (tmp_path / "buckets/b.json").write_text('{"Polciy": null}')
    status, out, _ = run(str(tmp_path))
    assert status == 0
    assert "1 warning\n  buckets/b.json: Polciy: is no member that is read; did you mean Policy?\n" in out
    assert json.loads(run(str(tmp_path), "--json")[1])["warnings"] == [
        {"file": "buckets/b.json", "place": "Polciy", "message": "is no member that is read; did you mean Policy?"}
    ]
