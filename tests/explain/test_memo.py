"""Denials that are alike: what is told again is what explaining afresh would have said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from denyproxy.exchange import DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.delivery import Delivery
from denyproxy.explain.memo import Memo
from denyproxy.explain.names import Compared
from denyproxy.explain.presentation import Disclosure, disclosed
from denyproxy.explain.record import Told
from denyproxy.explain.shape import around, shape_of
from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import ObjectFacts, PolicySnapshot
from tests.explain import alike
from tests.explain.mutation import exchange
from tests.explain.test_explainer import (
    ALLOW_ALL,
    AUTHORIZATION,
    BUCKET,
    EXPLAINER,
    NOW,
    READ_ONLY,
    call,
    head,
    policies,
    world,
)

WORLD = world(policies(READ_ONLY), objects={})


def deliver(told: Told) -> Delivery:
    return Delivery(disclosed(told.explanation, Disclosure.FULL), told.record.to_json())


def memory(size: int = 10) -> Memo:
    return Memo(EXPLAINER, deliver, size)


def afresh(denied: DeniedCall, snapshot: PolicySnapshot) -> Delivery | None:
    explained = EXPLAINER(denied, snapshot)
    return None if explained is None else deliver(explained)


def again(denied: DeniedCall, chance: Random) -> DeniedCall:
    """The same request a little later, signed anew and answered anew."""
    later = timedelta(milliseconds=chance.randrange(300_000))
    signed = NOW + timedelta(seconds=chance.randrange(300))
    fields = []
    for name, value in denied.upstream_request.headers:
        if name == "X-Amz-Date" and value == "20260501T120000Z":
            value = signed.strftime("%Y%m%dT%H%M%SZ")
        if name == "Authorization" and value.endswith("a" * 64):
            value = value[:-64] + "b" * 64
        fields.append((name, value))
    request = replace(denied.upstream_request, headers=tuple(fields))
    assert denied.response is not None
    answered = (("x-amz-request-id", f"R{chance.randrange(10**9)}"),)
    own = tuple(pair for pair in denied.response.headers if pair[0].lower() != "x-amz-request-id")
    return replace(
        denied,
        id=f"ID{chance.randrange(10**9)}",
        upstream_request=request,
        response=replace(denied.response, headers=own + answered),
        received=denied.received + later,
    )


def test_what_is_told_again_is_what_a_fresh_explanation_says() -> None:
    hits = 0
    for seed in range(1200):
        made = exchange(seed)
        if made.call.response is None:
            continue
        chance, memo = Random(seed), memory()
        memo(made.call, made.snapshot, most_keys=1000)
        for _ in range(2):
            other = again(made.call, chance)
            assert memo(other, made.snapshot, most_keys=1000) == afresh(other, made.snapshot), seed
        hits += memo.hits
    assert hits > 200


def test_each_has_its_own_id_time_and_request_id() -> None:
    memo = memory()
    response = ResponseHead(403, "", (("x-amz-request-id", "R1"),))
    assert memo(call(response=response), WORLD, most_keys=20) is not None
    later = NOW + timedelta(seconds=90)
    second = call(id="ID2", received=later, response=replace(response, headers=(("x-amz-request-id", "R2"),)))
    told = memo(second, WORLD, most_keys=20)
    assert memo.hits == 1
    assert told is not None
    assert told.record is not None
    record = json.loads(told.record)
    assert (record["id"], record["time"], record["upstream"]["request_id"]) == ("ID2", "2026-05-01T12:01:30Z", "R2")
    assert record["call"]["context"]["aws:currenttime"] == ["2026-05-01T12:01:30Z"]
    assert record["call"]["context"]["s3:signatureage"] == ["90000"]


def others() -> Iterator[tuple[str, DeniedCall]]:
    yield "key", call(head(target="/b/other"))
    yield "method", call(head("PUT"))
    yield "header", call(head("GET", "/b/k", ("x-amz-request-payer", "requester")))
    yield "user agent", call(head("GET", "/b/k", ("User-Agent", "x")))
    yield "message", call(message="no")
    yield "client", call(client_address="192.0.2.1")
    yield "transport", call(secure=False)
    yield "upstream", call(upstream_kind="minio")
    yield "body", call(body=b"x")
    yield "response", call(response=ResponseHead(403, "", (("x-minio-error-code", "AccessDenied"),)))
    headers = tuple(
        (name, value.replace("AKIAEXAMPLE", "AKIAOTHER") if name == "Authorization" else value)
        for name, value in head().headers
    )
    yield "access key", call(RequestHead("GET", "/b/k", headers))
    yield "session token", call(head("GET", "/b/k", ("x-amz-security-token", "t")))


@pytest.mark.parametrize("other", [other for _, other in others()], ids=[what for what, _ in others()])
def test_what_an_explanation_depends_on_is_not_shared(other: DeniedCall) -> None:
    mine, others = shape_of(call()), shape_of(other)
    assert mine is not None
    assert others is not None
    assert mine.digest != others.digest


def no_shape() -> Iterator[tuple[str, DeniedCall]]:
    yield (
        "a presigned URL ends",
        call(head(target="/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=60", signed=False)),
    )
    yield "the clock may be to blame", call(received=NOW + timedelta(minutes=11))
    yield "a retention ends", call(head("PUT", "/b/k", ("x-amz-object-lock-retain-until-date", "2026-05-02T00:00:00Z")))
    yield "the source of a copy may change", call(head("PUT", "/b/k", ("x-amz-copy-source", "/b/other")))
    yield "a form", call(head("POST", "/b", ("Content-Type", "multipart/form-data; boundary=x")))
    yield "a question", call(response=None)
    yield "a success that denies", call(status=200)


@pytest.mark.parametrize("denied", [denied for _, denied in no_shape()], ids=[why for why, _ in no_shape()])
def test_what_time_may_change_is_never_shared(denied: DeniedCall) -> None:
    assert shape_of(denied) is None


def hits(denied: DeniedCall, snapshot: PolicySnapshot) -> int:
    memo = memory()
    for number in range(3):
        memo(replace(denied, id=f"ID{number}"), snapshot, most_keys=20)
    return memo.hits


def test_policies_that_ask_for_the_time_are_not_shared() -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    for key, expected in (("aws:CurrentTime", 0), ("s3:signatureAge", 0), ("aws:SourceIp", 2)):
        condition = {"StringEquals": {key: "x"}}
        bucket = replace(BUCKET, policy=policies({**deny, "Condition": condition}, name="bucket policy"))
        assert hits(call(), world(policies(READ_ONLY), bucket, objects={})) == expected, key


def test_errors_with_a_code_of_their_own_are_not_shared() -> None:
    assert hits(call(code="RequestTimeTooSkewed"), WORLD) == 0
    assert hits(call(), WORLD) == 2


def test_an_object_that_is_loaded_is_not_shared() -> None:
    assert hits(call(), replace(WORLD, objects={("b", "k"): ObjectFacts()})) == 0


def test_another_snapshot_is_another_world() -> None:
    memo = memory()
    memo(call(), WORLD, most_keys=20)
    told = memo(call(), world(PolicyList()), most_keys=20)
    assert memo.hits == 0
    assert told is not None
    memo(call(), WORLD, most_keys=20)
    assert memo.hits == 0


def test_it_is_bounded_and_can_be_off() -> None:
    memo = memory(2)
    for key in "abcab":
        memo(call(head(target=f"/b/{key}")), WORLD, most_keys=20)
    assert memo.hits == 0
    assert hits_of(memory(0)) == 0
    assert hits_of(memory(1)) == 1


def hits_of(memo: Memo) -> int:
    memo(call(), WORLD, most_keys=20)
    memo(call(), WORLD, most_keys=20)
    return memo.hits


def test_a_digest_holds_no_secret() -> None:
    signed = AUTHORIZATION.rpartition("=")[2]
    shape = shape_of(call())
    assert shape is not None
    assert len(shape.digest) == 16
    assert signed.encode() not in shape.digest


def test_what_is_told_of_another_name_is_what_a_fresh_explanation_says() -> None:
    hits = 0
    for seed in range(250):
        chance, memo = Random(seed), memory()
        snapshot = alike.snapshot(chance)
        for denied in alike.denials(chance, 9):
            assert memo(denied, snapshot, most_keys=20) == afresh(denied, snapshot), (seed, denied.request.target)
        hits += memo.hits
    assert hits > 250


def hits_of_keys(snapshot: PolicySnapshot, *keys: str) -> list[bool]:
    """Which were remembered."""
    memo, remembered = memory(), []
    for key in keys:
        before = memo.hits
        denied = call(head("PUT", f"/b/{key}"))
        assert memo(denied, snapshot, most_keys=20) == afresh(denied, snapshot)
        remembered.append(memo.hits > before)
    return remembered


def test_a_third_name_is_told_what_held_of_two() -> None:
    assert hits_of_keys(WORLD, "in/part-1.csv", "in/part-2.csv", "in/part-3.csv") == [False, False, True]


def grant(*resources: str, **more: Any) -> PolicySnapshot:
    statement = {
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": [f"arn:aws:s3:::{each}" for each in resources],
    }
    return world(policies({**statement, **more}), objects={})


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("b/in/0099", "0099"),
        ("b/in/x*99/y", "0990"),
        ("b/IN/PA99", "pa99"),
        ("b/in/00?9/y", "0009"),
        ("b/out/99", "0990"),
        ("b/out-${aws:username}/y", "out-1"),
        ("b/${aws:username}/y", "alice1"),
    ],
)
def test_a_name_that_a_policy_knows_is_explained_for_itself(pattern: str, name: str) -> None:
    first, second, third = ("12345678"[at : at + len(name)] for at in range(3))
    keys = [f"in/{each}" for each in (first, second, third, name, third)]
    assert hits_of_keys(grant(pattern), *keys) == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("first", "other"),
    [
        ("in/1.csv", "in/22.csv"),
        ("in/1.csv", "in/2.txt"),
        ("in/1.csv", "out/2.csv"),
        ("in/a%31.csv", "in/a%32.csv"),
        ("one.csv", "two.csv"),
        ("in/one.csv", "in/two.csv"),
        ("1.csv/", "2.csv/"),
    ],
)
def test_what_is_more_than_a_name_is_not_shared(first: str, other: str) -> None:
    one, two = (shape_of(call(head(target=f"/b/{key}"))) for key in (first, other))
    assert one is not None
    assert two is not None
    assert one.digest != two.digest


def test_the_name_of_a_bucket_is_none() -> None:
    for target in ("/bucket-1", "/bucket-1/", "/bucket-1?acl", "/bucket-1?list-type=2&prefix="):
        shape = shape_of(call(head(target=target)))
        assert shape is not None
        assert shape.name == "", target


def test_a_bucket_of_which_objects_are_loaded_has_no_names_in_common() -> None:
    known = replace(WORLD, objects={("b", "in/9"): ObjectFacts()})
    assert hits_of_keys(known, "in/1", "in/2", "in/3") == [False, False, False]


def test_numbers_that_are_compared_are_never_shared() -> None:
    denied = [call(head("GET", f"/b?list-type=2&prefix=in/{name}")) for name in ("21", "22", "23", "19")]
    condition = {"NumericLessThan": {"s3:prefix": "20"}}
    snapshot = world(policies({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": condition}))
    memo = memory()
    for each in denied:
        memo(each, snapshot, most_keys=20)
    assert memo.hits == 0


def test_what_was_wrong_of_a_second_name_is_told_of_no_other() -> None:
    """The name of the first stands in the Sid too, and not because the key has it."""
    statement = {"Sid": "Part17", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::b/in/*"}
    keys = ("in/Part17", "in/Part18", "in/Part19", "in/Part19")
    assert hits_of_keys(world(policies(ALLOW_ALL, statement), objects={}), *keys) == [False, False, False, True]


def test_words_beside_a_wildcard_may_be_parts_of_a_name() -> None:
    words = Compared(["arn:aws:s3:::b/Team/x*/report-?.csv/last"], ["Alice"], 20)
    known = ("b", "team", "TEAM", "my-x-1", "report-", "my-report-1", "last1", "alice", "malice2")
    assert all(words.occur_in(name) for name in known)
    assert not any(words.occur_in(name) for name in ("team1", "steam", "b1", "csv1", "las", "bob"))


def test_a_name_is_found_where_it_stands_as_a_word() -> None:
    assert around("17", "17/2017-17.csv 17_1 a17 17") == ["", "/2017-17.csv 17_1 a17 ", ""]
    assert around("1", "111/11/1") == ["111/11/", ""]
    assert around("aa", "aaaa aa") == ["aaaa ", ""]
    assert around("17", "none") == ["none"]
