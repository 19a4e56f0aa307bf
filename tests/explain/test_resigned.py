"""Calls of the resign mode: refused by denyproxy itself, or denied to other credentials than the client's."""

from __future__ import annotations

import pytest

from denyproxy.exchange import OwnRefusal, Resigned
from denyproxy.explain.text import to_text
from denyproxy.iam.document import PolicyList
from tests.explain.test_explainer import ALICE, ALLOW_ALL, call, explain, head, policies, world

BOB = "arn:aws:iam::444455556666:user/bob"
ALLOWS = world(policies(ALLOW_ALL))
REFUSALS = [
    ("SignatureDoesNotMatch", "The request signature we calculated does not match.", "signature-mismatch"),
    ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", "unknown-access-key"),
    (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        "clock-skew",
    ),
    ("AccessDenied", "Request has expired", "presigned-expired"),
    ("AccessDenied", "There were headers present in the request which were not signed", "headers-not-signed"),
    ("AccessDenied", "Invalid according to Policy: Policy expired.", "post-policy"),
    ("AccessDenied", "Access Denied", "signature-mismatch"),
]


@pytest.mark.parametrize(("code", "message", "layer"), REFUSALS)
def test_denyproxys_own_refusal_is_not_laid_on_s3(code: str, message: str, layer: str) -> None:
    explanation = explain(call(code=code, message=message, mode="resign", refusal=OwnRefusal()), ALLOWS)
    assert (explanation.verdict, explanation.certain, explanation.refused_by) == ("not-policy", True, "denyproxy")
    assert explanation.cause is not None
    assert explanation.cause.layer == layer
    assert "denyproxy refused it itself" in explanation.summary
    assert "did not ask S3" in explanation.summary
    assert explanation.upstream.status is None
    assert "S3 said" not in to_text(explanation)


def test_the_secret_is_not_blamed_where_the_request_may_have_been_changed() -> None:
    theirs = "<CanonicalRequest>GET\n/b/k\n\nhost:s3.us-east-1.amazonaws.com\nx-amz-date:20260501T120000Z\n\n"
    denied = call(code="SignatureDoesNotMatch", message="It does not match.", refusal=OwnRefusal())
    body = denied.response_body or b""
    echoed = body.replace(b"</Error>", f"{theirs}host;x-amz-date\nUNSIGNED-PAYLOAD</CanonicalRequest></Error>".encode())
    explanation = explain(call(response_body=echoed, refusal=OwnRefusal()), ALLOWS)
    assert explanation.cause is not None
    assert explanation.cause.element is None
    assert "either the secret access key" in explanation.summary
    assert "or the request was changed" in explanation.summary


def test_a_line_that_is_established_is_named() -> None:
    refused = call(code="SignatureDoesNotMatch", message="No.", refusal=OwnRefusal("header:host"))
    explanation = explain(refused, ALLOWS)
    assert explanation.cause is not None
    assert explanation.cause.element == "header:host"
    assert "its header host is not what was signed" in explanation.summary
    assert "secret" not in explanation.summary


def test_an_unknown_key_is_told_where_keys_come_from() -> None:
    refused = call(code="InvalidAccessKeyId", message="No.", refusal=OwnRefusal())
    fix = explain(refused, ALLOWS).fixes[0]
    assert "resign.credentials" in fix.summary
    assert fix.owner == "caller"


def test_other_credentials_than_the_clients() -> None:
    resigned = Resigned(signer=ALICE, client=BOB, client_key_id="AKIALOCAL")
    explanation = explain(call(mode="resign", resigned=resigned), world(PolicyList()))
    assert explanation.principal.arn == ALICE
    assert explanation.principal.known_by == "proxy-credentials"
    assert explanation.cause is not None
    assert explanation.cause.layer == "identity"
    assert explanation.client is not None
    assert (explanation.client.arn, explanation.client.known_by) == (BOB, "settings")
    assert explanation.client.access_key_id == "AKIALOCAL"
    assert any(BOB in note and ALICE in note for note in explanation.notes)
    assert f"For        {BOB}" in to_text(explanation)


def test_a_client_key_that_the_policies_list() -> None:
    resigned = Resigned(signer=ALICE, client_key_id="AKIAEXAMPLE")
    client = explain(call(mode="resign", resigned=resigned), ALLOWS).client
    assert client is not None
    assert (client.arn, client.known_by) == (ALICE, "access-keys")


def test_the_clients_own_credentials() -> None:
    explanation = explain(call(head(), mode="resign"), world(PolicyList()))
    assert explanation.client is None
    assert explanation.refused_by == "s3"
    assert explanation.principal.known_by == "access-keys"
