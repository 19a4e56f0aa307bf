"""Signatures and tokens are compared in constant time: `hmac.compare_digest` alone decides, whatever it says."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.chunked import ChunkError, Rechunker
from denyproxy.sigv4.post_policy import verify_policy
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.verified import token_refusal
from tests.sigv4.test_chunked import BODY, OURS, SEED, TRAILER_BODY, TRAILER_SEED
from tests.sigv4.test_signing import OTHER
from tests.sigv4.test_verification import GET, KEY, PRESIGNED, START, lookup
from tests.sigv4.test_version2_urls import KEY as KEY2
from tests.sigv4.test_version2_urls import PARAMETERS, url

POLICY = base64.b64encode(b'{"expiration": "2030-01-01T00:00:00Z"}').decode()
OLD_FORM = {"policy": POLICY, "awsaccesskeyid": KEY.access_key_id, "signature": "c2lnbmF0dXJl"}
FORM = {
    "policy": POLICY,
    "x-amz-credential": f"{KEY.access_key_id}/20130524/us-east-1/s3/aws4_request",
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-signature": "f" * 64,
}


def good(head: RequestHead) -> bool:
    return not isinstance(verify(head, lookup, START), Refusal)


def good_chunks(chain: object, body: bytes) -> bool:
    try:
        Rechunker(chain, OURS).feed(body)  # type: ignore[arg-type]
    except ChunkError:
        return False
    return True


HEADER = replace(GET, headers=(*GET.headers[:-1], ("Authorization", GET.headers[-1][1][:-64] + "f" * 64)))
CHECKS: dict[str, tuple[Callable[[], bool], str | bytes]] = {
    "header": (lambda: good(HEADER), "f" * 64),
    "query": (lambda: good(replace(PRESIGNED, target=PRESIGNED.target[:-64] + "f" * 64)), "f" * 64),
    "version 2": (
        lambda: (
            not isinstance(
                verify(
                    url(*PARAMETERS, auth="AWSAccessKeyId=AKID&Expires=2000000000&Signature=c2ln"),
                    lambda _: KEY2,
                    START,
                ),
                Refusal,
            )
        ),
        "c2ln",
    ),
    "token": (lambda: token_refusal(OTHER, "another token") is None, "another token"),
    "form": (lambda: not isinstance(verify_policy(FORM, lookup, START), Refusal), "f" * 64),
    "form of version 2": (lambda: not isinstance(verify_policy(OLD_FORM, lookup, START), Refusal), "c2lnbmF0dXJl"),
    "chunk": (lambda: good_chunks(SEED, BODY.replace(b"ad80c730", b"ffffffff")), b"ffffffff"),
    "trailer": (lambda: good_chunks(TRAILER_SEED, TRAILER_BODY.replace(b"d81f82fc", b"ffffffff")), b"ffffffff"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_what_decides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    check, given = CHECKS[name]
    assert not check()
    compared: list[bytes] = []

    def equal(one: bytes, other: bytes) -> bool:
        compared.extend((bytes(one), bytes(other)))
        return True

    monkeypatch.setattr(hmac, "compare_digest", equal)
    assert check()
    wanted = given.encode() if isinstance(given, str) else given
    assert any(value.startswith(wanted) for value in compared)


def test_what_is_right_is_refused_if_the_comparison_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert good(GET)
    monkeypatch.setattr(hmac, "compare_digest", lambda *_: False)
    assert not good(GET)
    assert not good(PRESIGNED)
    assert not good_chunks(SEED, BODY)
    assert token_refusal(OTHER, OTHER.session_token) is not None


def test_the_scope_of_a_form_is_held_to_what_scopes_are() -> None:
    """It is the key under which a signing key is kept."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for scope in ("20130524/us-east-1/s3/aws4_request/", "x/us-east-1/s3/aws4_request", "20130524/a.b/s3/aws4_request"):
        found = verify_policy({**FORM, "x-amz-credential": f"{KEY.access_key_id}/{scope}"}, lookup, now)
        assert isinstance(found, Refusal)
        assert found.code == "InvalidArgument"
    long = f"{KEY.access_key_id}/20130524/{'r' * 65}/s3/aws4_request"
    assert verify_policy({**FORM, "x-amz-credential": long}, lookup, now) == Refusal(
        400, "InvalidArgument", "The form's x-amz-credential or x-amz-algorithm is malformed."
    )
