"""Which file tells what, how all of them make one snapshot, and what a bad edit costs."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.policies.directory import (
    Content,
    LoadedFile,
    Unreadable,
    build_snapshot,
    fingerprint,
    load_directory,
    load_files,
    one_line,
    read_directory,
    snapshot_of,
)
from denyproxy.s3.snapshot import PolicyProblem, PolicySnapshot
from tests.policies.build import (
    ACCOUNT,
    NOW,
    attached,
    details,
    encoded,
    inline,
    managed,
    resource_document,
    role,
    snapshot,
    user,
)

LATER = NOW + timedelta(hours=1)
ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"


def test_an_empty_directory_is_an_open_world_without_problems() -> None:
    made = snapshot({})
    assert made.problems == ()
    assert made.loaded == NOW
    assert made.revision
    assert made.bucket("any").policy == UNKNOWN_POLICIES
    assert made.vpc_endpoint == UNKNOWN_POLICIES


@pytest.mark.parametrize("name", ["bucket/x.json", "x.json", "Organization.json", "organisation.json"])
def test_a_file_out_of_place_is_named(name: str) -> None:
    (problem,) = snapshot({name: b"{}"}).problems
    assert problem.file == name
    assert "buckets/" in problem.message
    assert "organization.json" in problem.message


def test_the_revision_is_that_of_the_contents() -> None:
    one = {"buckets/a.json": b"{}", "buckets/b.json": b"null"}
    revision = build_snapshot(one, NOW).revision
    assert build_snapshot(dict(reversed(one.items())), LATER).revision == revision
    others: list[dict[str, Content]] = [
        {"buckets/a.json": b"{}"},
        {"buckets/a.json": b"{ }", "buckets/b.json": b"null"},
        {"buckets/a.json": b"{}", "buckets/c.json": b"null"},
        {"buckets/a.json": b"{}", "buckets/b.json": Unreadable("why")},
    ]
    assert len({revision, *(build_snapshot(other, NOW).revision for other in others)}) == 5
    assert revision.isalnum()
    assert len(revision) == 12


def test_the_same_thing_twice_is_reported_with_both_files() -> None:
    told = details(UserDetailList=[user("ana", UserPolicyList=[inline("p")])])
    made = snapshot({"iam/one.json": told, "iam/two.json": told})
    assert [policy.name for policy in made.principals[ANA].identity.policies] == ["p"]
    (problem,) = made.problems
    assert (problem.file, problem.place) == ("iam/two.json", "UserDetailList[0]")
    assert "iam/one.json (UserDetailList[0])" in problem.message
    assert ANA in problem.message


def test_what_two_files_tell_differently_is_unknown() -> None:
    one = details(UserDetailList=[user("ana", UserPolicyList=[inline("p")]), user("ben")])
    two = details(UserDetailList=[user("ana")])
    made = snapshot({"iam/one.json": one, "iam/two.json": two})
    assert set(made.principals) == {f"arn:aws:iam::{ACCOUNT}:user/ben"}
    assert made.principal(ANA).identity == UNKNOWN_POLICIES
    (problem,) = made.problems
    assert "iam/one.json" in problem.message
    assert "neither is used" in problem.message


@pytest.mark.parametrize(
    ("directory", "content", "select"),
    [
        (
            "access-points",
            {"AccessPointArn": f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/a", "Name": "a", "Bucket": "b"},
            lambda made: made.access_points,
        ),
        ("vpc-endpoints", {"VpcEndpointId": "vpce-1"}, lambda made: made.vpc_endpoints),
        ("kms-keys", {"KeyMetadata": {"Arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"}}, lambda made: made.kms_keys),
    ],
)
def test_every_kind_of_contradiction(directory: str, content: dict[str, Any], select: Any) -> None:
    policy = "PolicyDocument" if directory == "vpc-endpoints" else "Policy"
    files = {f"{directory}/1.json": content, f"{directory}/2.json": content | {policy: resource_document()}}
    assert len(select(snapshot({f"{directory}/1.json": content}))) in (1, 2)
    made = snapshot(files)
    assert select(made) == {}
    assert len(made.problems) == 1


def test_two_accounts_are_two_files() -> None:
    partner = role("etl", Arn="arn:aws:iam::444455556666:role/etl", AttachedManagedPolicies=[attached("p")])
    told = details(UserDetailList=[user("ana", AttachedManagedPolicies=[attached("p")])], Policies=[managed("p")])
    made = snapshot({"iam/studio.json": told, "iam/partner.json": details(RoleDetailList=[partner])})
    assert made.principals[ANA].identity.complete
    assert not made.principals["arn:aws:iam::444455556666:role/etl"].identity.complete
    assert [problem.file for problem in made.problems] == ["iam/partner.json"]


GOOD = encoded({"Policy": resource_document("Good")})
BETTER = encoded({"Policy": resource_document("Better")})
BAD = b'{"Policy": '


def sids(made: PolicySnapshot) -> list[Any]:
    return [policy.document["Statement"][0]["Sid"] for policy in made.bucket("b").policy.policies]


def edits(*contents: Content | None) -> tuple[dict[str, LoadedFile], PolicySnapshot]:
    """buckets/b.json with these contents one after the other, an hour apart; None: not there."""
    files: dict[str, LoadedFile] = {}
    made = PolicySnapshot()
    for hours, content in enumerate(contents):
        now = NOW + timedelta(hours=hours)
        files = load_files({} if content is None else {"buckets/b.json": content}, now, files)
        made = snapshot_of(files, now)
    return files, made


def test_a_good_edit_is_used() -> None:
    _, made = edits(GOOD, BETTER)
    assert sids(made) == ["Better"]
    assert made.problems == ()


@pytest.mark.parametrize("bad", [BAD, encoded({"Policy": {"Statement": 7}}), Unreadable("Permission denied")])
def test_a_bad_edit_keeps_the_last_good_content_and_says_since_when(bad: Content) -> None:
    _, made = edits(GOOD, BETTER, bad)
    assert sids(made) == ["Better"]
    (problem,) = made.problems
    assert problem.file == "buckets/b.json"
    assert "since 2026-03-01T14:00:00Z" in problem.message
    assert "2026-03-01T13:00:00Z" in problem.message


def test_a_bad_edit_on_a_bad_edit_still_keeps_the_last_good_content() -> None:
    _, made = edits(GOOD, BAD, b"[", Unreadable("gone"))
    assert sids(made) == ["Good"]
    assert "since 2026-03-01T15:00:00Z" in made.problems[0].message
    assert "2026-03-01T12:00:00Z" in made.problems[0].message


def test_an_unchanged_bad_file_keeps_saying_since_when() -> None:
    assert edits(GOOD, BAD, BAD, BAD)[1].problems == edits(GOOD, BAD)[1].problems


def test_the_revision_is_that_of_the_contents_in_use() -> None:
    assert edits(GOOD, BAD)[1].revision == edits(GOOD)[1].revision
    assert edits(BAD, GOOD)[1].revision == edits(GOOD)[1].revision


def test_a_repaired_file_is_used() -> None:
    _, made = edits(GOOD, BAD, BETTER)
    assert sids(made) == ["Better"]
    assert made.problems == ()


def test_a_file_that_was_never_good_leaves_its_layer_unknown() -> None:
    _, made = edits(BAD)
    assert made.bucket("b").policy == UNKNOWN_POLICIES
    assert "since" not in made.problems[0].message


def test_a_file_that_is_gone_tells_nothing_any_more() -> None:
    _, made = edits(GOOD, None)
    assert made.bucket("b").policy == UNKNOWN_POLICIES
    assert made.problems == ()


def test_an_emptied_file_says_none() -> None:
    assert edits(GOOD, b"")[1].bucket("b").policy == PolicyList()


def test_a_gap_is_no_bad_edit() -> None:
    """One page of several is legible: it is used, and leaves what it does not tell incomplete."""
    full = details(UserDetailList=[user("ana", UserPolicyList=[inline("old")])])
    page = details(UserDetailList=[user("ana", UserPolicyList=[inline("new")])], IsTruncated=True)
    files = load_files({"iam/a.json": encoded(full)}, NOW)
    made = snapshot_of(load_files({"iam/a.json": encoded(page)}, LATER, files), LATER)
    assert [policy.name for policy in made.principals[ANA].identity.policies] == ["new"]
    assert not made.principals[ANA].identity.complete


def test_what_is_in_a_subdirectory_that_cannot_be_listed_stays() -> None:
    files = load_files({"buckets/b.json": GOOD, "iam/a.json": encoded(details(UserDetailList=[user("ana")]))}, NOW)
    made = snapshot_of(load_files({"buckets/": Unreadable("Permission denied")}, LATER, files), LATER)
    assert sids(made) == ["Good"]
    assert made.principals == {}
    assert [problem.file for problem in made.problems] == ["buckets/"]


def test_unchanged_files_are_not_read_again() -> None:
    before = load_files({"buckets/b.json": GOOD, "buckets/c.json": GOOD}, NOW)
    after = load_files({"buckets/b.json": GOOD, "buckets/c.json": BETTER}, LATER, before)
    assert after["buckets/b.json"] is before["buckets/b.json"]
    assert after["buckets/c.json"] is not before["buckets/c.json"]


def write(root: Path, name: str, content: bytes = b"{}") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_reading_the_disk(tmp_path: Path) -> None:
    for name in ("iam/a.json", "buckets/b.json", "organization.json", "odd/x.json", "stray.json"):
        write(tmp_path, name, b'{"from": "disk"}')
    for name in (
        "README.md",
        "iam/.a.json.swp",
        "iam/.hidden.json",
        ".git/config.json",
        "iam/a.json~",
        "iam/notes/x.md",
    ):
        write(tmp_path, name)
    read = read_directory(tmp_path)
    assert read.keys() == {"iam/a.json", "buckets/b.json", "organization.json", "odd/x.json", "stray.json"}
    assert read["iam/a.json"] == b'{"from": "disk"}'


def test_a_file_too_deep_is_named(tmp_path: Path) -> None:
    write(tmp_path, "iam/studio/a.json", encoded(details(UserDetailList=[user("ana")])))
    made = load_directory(tmp_path, NOW)
    assert made.principals == {}
    assert [problem.file for problem in made.problems] == ["iam/studio/"]


def test_files_may_be_links_as_in_a_mounted_config_map(tmp_path: Path) -> None:
    write(tmp_path, "buckets/..2026_03_01/b.json", GOOD)
    (tmp_path / "buckets/..data").symlink_to("..2026_03_01")
    (tmp_path / "buckets/b.json").symlink_to("..data/b.json")
    assert read_directory(tmp_path) == {"buckets/b.json": GOOD}


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    write(tmp_path, "buckets/good.json", GOOD)
    (tmp_path / "buckets/dangling.json").symlink_to("nowhere")
    (tmp_path / "buckets/loop.json").symlink_to("loop.json")
    (tmp_path / "buckets/folder.json").mkdir()
    os.mkfifo(tmp_path / "buckets/pipe.json")
    made = load_directory(tmp_path, NOW)
    assert set(made.buckets) == {"good"}
    assert {problem.file for problem in made.problems} == {
        f"buckets/{name}.json" for name in ("dangling", "loop", "folder", "pipe")
    }
    assert all("cannot be read" in problem.message for problem in made.problems)


def test_a_directory_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_directory(tmp_path / "nowhere")
    with pytest.raises(NotADirectoryError):
        load_directory(write(tmp_path, "file"))


def test_fingerprint_changes_with_contents_links_and_the_directory_itself(tmp_path: Path) -> None:
    one, link = tmp_path / "one", tmp_path / "link"
    file = write(one, "buckets/b.json", GOOD)
    link.symlink_to("one")
    first = fingerprint(link)
    assert fingerprint(link) == first
    assert first is not None
    os.utime(file, ns=(1, time.time_ns() + 10**9))
    second = fingerprint(link)
    write(one, "iam/a.json")
    third = fingerprint(link)
    write(tmp_path, "two/buckets/b.json", GOOD)
    link.unlink()
    link.symlink_to("two")
    fourth = fingerprint(link)
    assert fourth is not None
    assert len({first, second, third, fourth}) == 4
    assert first[0] != fourth[0]
    assert fingerprint(tmp_path / "nowhere") is None


def test_a_problem_is_one_line_of_printable_ascii() -> None:
    assert one_line(PolicyProblem("iam/é.json", "", "a\nb\x1b[31m\ud800")) == "iam/\\xe9.json: a\\nb\\x1b[31m\\ud800"
    assert one_line(PolicyProblem("f", "p", "m")) == "f: p: m"


def test_a_thousand_buckets_and_five_hundred_roles() -> None:
    roles = [
        role(f"role-{at}", RolePolicyList=[inline(f"inline-{at}")], AttachedManagedPolicies=[attached(f"p-{at}")])
        for at in range(500)
    ]
    told = details(RoleDetailList=roles, Policies=[managed(f"p-{at}") for at in range(500)])
    bucket = encoded({"Policy": resource_document()})
    made = snapshot({"iam/a.json": told} | {f"buckets/bucket-{at}.json": bucket for at in range(1000)})
    assert made.problems == ()
    assert (len(made.principals), len(made.buckets)) == (500, 1000)
    assert all(len(facts.identity.policies) == 2 and facts.identity.complete for facts in made.principals.values())
