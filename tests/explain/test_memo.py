"""Denials that are alike: what is told again is what explaining afresh would have said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from denyproxy.exchange import DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.memo import Memo, shape_of
from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import ObjectFacts, PolicySnapshot
from tests.explain.mutation import exchange
from tests.explain.test_explainer import AUTHORIZATION, BUCKET, EXPLAINER, NOW, READ_ONLY, call, head, policies, world

WORLD = world(policies(READ_ONLY), objects={})


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
        chance, memo = Random(seed), Memo(EXPLAINER, 10)
        memo(made.call, made.snapshot, most_keys=1000)
        for _ in range(2):
            other = again(made.call, chance)
            told, fresh = memo(other, made.snapshot, most_keys=1000), EXPLAINER(other, made.snapshot)
            if fresh is None:
                assert told is None
                continue
            assert told is not None
            assert json.loads(told.record.to_json()) == json.loads(fresh.record.to_json()), seed
            assert told.own_account is fresh.own_account
        hits += memo.hits
    assert hits > 200


def test_each_has_its_own_id_time_and_request_id() -> None:
    memo = Memo(EXPLAINER, 10)
    response = ResponseHead(403, "", (("x-amz-request-id", "R1"),))
    assert memo(call(response=response), WORLD, most_keys=20) is not None
    later = NOW + timedelta(seconds=90)
    second = call(id="ID2", received=later, response=replace(response, headers=(("x-amz-request-id", "R2"),)))
    told = memo(second, WORLD, most_keys=20)
    assert memo.hits == 1
    assert told is not None
    record = json.loads(told.record.to_json())
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
    assert shape_of(call()) is not None
    assert shape_of(other) not in (None, shape_of(call()))


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
    memo = Memo(EXPLAINER, 10)
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
    memo = Memo(EXPLAINER, 10)
    memo(call(), WORLD, most_keys=20)
    told = memo(call(), world(PolicyList()), most_keys=20)
    assert memo.hits == 0
    assert told is not None
    memo(call(), WORLD, most_keys=20)
    assert memo.hits == 0


def test_it_is_bounded_and_can_be_off() -> None:
    memo = Memo(EXPLAINER, 2)
    for key in "abcab":
        memo(call(head(target=f"/b/{key}")), WORLD, most_keys=20)
    assert memo.hits == 0
    assert hits_of(Memo(EXPLAINER, 0)) == 0
    assert hits_of(Memo(EXPLAINER, 1)) == 1


def hits_of(memo: Memo) -> int:
    memo(call(), WORLD, most_keys=20)
    memo(call(), WORLD, most_keys=20)
    return memo.hits


def test_a_digest_holds_no_secret() -> None:
    signed = AUTHORIZATION.rpartition("=")[2]
    shape = shape_of(call())
    assert shape is not None
    assert len(shape) == 16
    assert signed.encode() not in shape
