"""Whatever clients and servers send: the cold path raises nothing, its header is safe, its record holds no secret."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from denyproxy.exchange import Answer, Declared, DeniedCall, RequestHead, ResponseHead
from denyproxy.explain.explainer import Explained
from denyproxy.explain.presentation import Presentation, present
from denyproxy.explain.schemas import schemas
from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.sigv4.credential import parse_credential
from tests.explain.mutation import NOW, SECRETS, SIGNATURE, Exchange, exchange
from tests.explain.test_explainer import ALICE, EXPLAINER, policies, world

BATCH = 300
ID_BYTES = 128


@cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(schemas()["record.schema.json"]))


def explained(
    call: DeniedCall, snapshot: PolicySnapshot, presentation: Presentation
) -> tuple[Explained, Answer] | None:
    found = EXPLAINER(call, snapshot)
    if found is None:
        return None
    answer = present(
        found.explanation,
        own_account=found.own_account,
        presentation=presentation,
        method=call.request.method,
        body=call.response_body,
    )
    return found, answer


def check(call: DeniedCall, presentation: Presentation, found: Explained, answer: Answer) -> str:
    """The record, which like the answer is safe to write."""
    assert {name for name, _ in answer.headers} == {"X-Deny-Explanation", "X-Deny-Explanation-Id"}
    for name, value in answer.headers:
        assert value.isascii()
        assert value.isprintable()
        assert len(value) <= (ID_BYTES if name.endswith("Id") else presentation.header_bytes)
    record = found.record.to_json()
    assert b"\n" not in record.encode()
    assert "\r" not in record
    assert json.loads(record)["call"]["mode"] == call.mode
    return record


def check_seed(seed: int) -> bool:
    """One damaged exchange. False: there was nothing to explain."""
    made: Exchange = exchange(seed)
    result = explained(made.call, made.snapshot, made.presentation)
    if result is None:
        assert made.call.response is not None
        assert made.call.response.status == 200
        return False
    found, answer = result
    record = check(made.call, made.presentation, found, answer)
    if seed % 50 == 0:
        validator().validate(json.loads(record))
        validator().validate(json.loads(found.record_with_scenario.to_json()))
    if made.own_secrets:
        before, after = made.call.response_body or b"", answer.body or b""
        whole = found.record_with_scenario.to_json()
        for secret in SECRETS:
            assert secret not in record
            assert secret not in whole
            assert all(secret not in value for _, value in answer.headers)
            assert after.count(secret.encode()) <= before.count(secret.encode())
    return True


def run(seeds: range) -> None:
    answered = 0
    for seed in seeds:
        try:
            answered += check_seed(seed)
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
    assert answered > len(seeds) // 2


@pytest.mark.parametrize("start", range(0, 3000, BATCH))
def test_damaged_exchanges(start: int) -> None:
    run(range(start, start + BATCH))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(3000, 30000, 10 * BATCH))
def test_many_more_damaged_exchanges(start: int) -> None:
    run(range(start, start + 10 * BATCH))


def record_of(head: RequestHead) -> str:
    error = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    found = EXPLAINER(DeniedCall("ID", head, head, ResponseHead(403), NOW, response_body=error), world(PolicyList()))
    assert found is not None
    return found.record.to_json()


def test_a_key_that_is_not_utf8_has_a_record() -> None:
    record = json.loads(record_of(RequestHead("GET", "/b/a%FFb", (("Host", "s3.us-east-1.amazonaws.com"),))))
    assert (record["bucket"], record["key"]) == ("b", "a\ufffdb")


def test_the_referer_is_kept_without_its_signature() -> None:
    page = "https://b.s3.amazonaws.com/page?X-Amz-Security-Token=T0KEN&a=1&x-amz-signature=S1GN#top"
    context = json.loads(record_of(RequestHead("GET", "/b/k", (("Referer", page),))))["call"]["context"]
    assert context["aws:referer"] == ["https://b.s3.amazonaws.com/page?X-Amz-Security-Token=&a=1&x-amz-signature=#top"]


def test_a_missing_comma_makes_no_header_name_of_the_signature() -> None:
    scope = "Credential=AKIAEXAMPLE/20260501/us-east-1/s3/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date Signature={SIGNATURE}"
    head = RequestHead("GET", "/b/k", (("Authorization", authorization),))
    assert parse_credential(head).signed_headers == ("host",)


def test_a_resource_of_another_account_that_has_no_policy_of_its_own() -> None:
    declared = Declared(
        action="sqs:SendMessage",
        resource="arn:aws:sqs:us-east-1:444455556666:q",
        resource_account="444455556666",
        closed=True,
    )
    head = RequestHead("GET", "/")
    call = DeniedCall("ID", head, head, None, NOW, declared=replace(declared, principal=ALICE))
    found = EXPLAINER(call, world(policies({"Effect": "Allow", "Action": "*", "Resource": "*"})))
    assert found is not None
    cause = found.explanation.cause
    assert cause is not None
    assert (cause.layer, cause.effect) == ("resource-policy", "implicit")
    assert cause.sentence.startswith("No resource-based policy allows sqs:SendMessage")


ANY = st.text(max_size=60)
SURROGATES = ANY | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape"))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]) | ANY,
    target=SURROGATES.map(lambda text: f"/{text}"),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Host", "Authorization", "x-amz-copy-source", "x-amz-tagging", "x-amz-date", "Range"]),
            SURROGATES,
        ),
        max_size=4,
    ),
    body=st.none() | st.binary(max_size=80),
    message=SURROGATES,
)
def test_any_text_in_any_place(
    method: str, target: str, headers: list[tuple[str, str]], body: bytes | None, message: str
) -> None:
    head = RequestHead(method, target, tuple(headers))
    error = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>".encode("utf-8", "surrogateescape")
    call = DeniedCall("ID", head, head, ResponseHead(403), NOW, body=body, response_body=error)
    result = explained(call, world(PolicyList()), Presentation())
    assert result is not None
    check(call, Presentation(), *result)
