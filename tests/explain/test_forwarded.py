"""A signature that does not match in forward mode: what cannot be known there is not said."""

from __future__ import annotations

import pytest

from denyproxy.explain.model import Explanation
from denyproxy.sigv4.canonical import canonical_request
from denyproxy.sigv4.credential import parse_credential
from tests.explain.test_explainer import ALLOW_ALL, call, explain, policies, world

ALLOWS = world(policies(ALLOW_ALL))
COLLAPSED = "urllib3 collapses `.` and `..` in a key after boto3 or the AWS CLI has signed it"


def explained(mode: str, old: str = "", new: str = "") -> Explanation:
    """S3's answer has the canonical request of what arrived, but for `old`."""
    denied = call(code="SignatureDoesNotMatch", message="It does not match.", mode=mode)
    theirs = canonical_request(denied.upstream_request, parse_credential(denied.upstream_request)).replace(old, new)
    body = (denied.response_body or b"").replace(
        b"</Error>", f"<CanonicalRequest>{theirs.replace('&', '&amp;')}</CanonicalRequest></Error>".encode()
    )
    return explain(call(response_body=body, mode=mode), ALLOWS)


def test_the_secret_may_be_right_where_a_library_may_have_changed_the_path() -> None:
    explanation = explained("forward")
    assert explanation.cause is not None
    assert (explanation.cause.layer, explanation.cause.element) == ("signature-mismatch", None)
    assert "the secret access key is wrong, or the request was changed after it was signed" in explanation.summary
    assert any(COLLAPSED in note for note in explanation.notes)


@pytest.mark.parametrize("mode", ["passthrough", "resign"])
def test_where_no_library_does_that_the_secret_is_wrong(mode: str) -> None:
    explanation = explained(mode)
    assert explanation.cause is not None
    assert explanation.cause.element == "secret"
    assert not any(COLLAPSED in note for note in explanation.notes)


def test_a_line_that_differs_is_named_in_forward_mode_too() -> None:
    explanation = explained("forward", "host:s3.us-east-1.amazonaws.com", "host:127.0.0.1")
    assert explanation.cause is not None
    assert explanation.cause.element == "header:host"
    assert not any(COLLAPSED in note for note in explanation.notes)
