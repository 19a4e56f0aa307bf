"""What the holder of a URL that is signed with Signature Version 2 can do with it: use it as it is."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.signing import sign
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.verified import Verified

KEY = Credentials("AKID", "secret")
OURS = Credentials("AKIDOURS", "ours")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
SIGNED = (
    "PUT\n\n\n2000000000\n"
    "x-amz-acl:private\n"
    "x-amz-meta-my_key:Kelvin\n"
    "x-amz-object-lock-retain-until-date:2030-01-01T00:00:00Z\n"
    "x-amz-server-side-encryption:AES256\n"
    "/b/k"
)
PARAMETERS = (
    "x-amz-acl=private",
    "x-amz-meta-my_key=Kelvin",
    "x-amz-object-lock-retain-until-date=2030-01-01T00%3A00%3A00Z",
    "x-amz-server-side-encryption=AES256",
)
SIGNATURE = quote(base64.b64encode(hmac.digest(b"secret", SIGNED.encode(), "sha1")).decode(), safe="")
AUTH = f"AWSAccessKeyId=AKID&Expires=2000000000&Signature={SIGNATURE}"


def url(*parameters: str, auth: str = AUTH, headers: tuple[tuple[str, str], ...] = ()) -> RequestHead:
    return RequestHead("PUT", f"/b/k?{'&'.join((*parameters, auth))}", (("Host", "h"), *headers))


def outcome(head: RequestHead) -> str:
    found = verify(head, lambda key_id: KEY if key_id == "AKID" else None, NOW)
    return found.code if isinstance(found, Refusal) else "verified"


def signed_again(head: RequestHead) -> RequestHead:
    return sign(head, OURS, region="us-east-1", service="s3", now=NOW, payload="UNSIGNED-PAYLOAD").head


@pytest.mark.parametrize("headers", [(), (("X-Amz-Acl", "private"), ("x-amz-meta-my_key", "Kelvin"))])
def test_as_it_is(headers: tuple[tuple[str, str], ...]) -> None:
    """All that was signed is signed again, once, whether a client sends it as header fields too or not."""
    head = url(*PARAMETERS, headers=headers)
    assert outcome(head) == "verified"
    again = signed_again(head)
    assert again.target == "/b/k"
    assert sorted((name.lower(), value) for name, value in again.headers if name.lower().startswith("x-amz-"))[:1] == [
        ("x-amz-acl", "private")
    ]
    found = {name.lower(): value for name, value in again.headers}
    assert len(found) == len(again.headers)
    assert found["x-amz-meta-my_key"] == "Kelvin"
    assert found["x-amz-object-lock-retain-until-date"] == "2030-01-01T00:00:00Z"
    assert found["x-amz-server-side-encryption"] == "AES256"


ALTERED = {
    "one of two": (
        "x-amz-acl=private%0Ax-amz-meta-my_key%3AKelvin",
        *PARAMETERS[2:],
    ),
    "a name with a line": ("x-amz-acl%3Aprivate%0Ax-amz-meta-my_key=Kelvin", *PARAMETERS[2:]),
    "the colon moved": (
        *PARAMETERS[:2],
        "x-amz-object-lock-retain-until-date%3A2030-01-01T00=00%3A00Z",
        PARAMETERS[3],
    ),
    "a letter that is K in lower case": (PARAMETERS[0], "x-amz-meta-my_%E2%84%AAey=Kelvin", *PARAMETERS[2:]),
}


@pytest.mark.parametrize("name", ALTERED)
def test_parameters_that_could_stand_for_others_are_refused(name: str) -> None:
    """Each gives the string that was signed, and would have lost a parameter on the way."""
    assert outcome(url(*ALTERED[name])) == "InvalidArgument"


def test_a_second_value_in_front_is_not_what_was_signed() -> None:
    assert outcome(url("x-amz-acl=public-read", *PARAMETERS)) == "SignatureDoesNotMatch"
    assert outcome(url(*PARAMETERS, "X-Amz-Acl=public-read")) == "SignatureDoesNotMatch"


def test_a_header_field_that_says_something_else_is_refused() -> None:
    assert outcome(url(*PARAMETERS, headers=(("x-amz-acl", "public-read"),))) == "InvalidArgument"
    assert outcome(url(*PARAMETERS, headers=(("x-amz-storage-class", "GLACIER"),))) == "SignatureDoesNotMatch"


def test_a_signature_whose_name_is_encoded_is_refused() -> None:
    """`sign` would not find it, and would leave in the query what has to become header fields."""
    assert outcome(url(*PARAMETERS, auth=AUTH.replace("KeyId", "KeyI%64"))) == "InvalidArgument"


def test_a_version_4_signature_whose_name_is_encoded_is_refused() -> None:
    date, scope = "20261126T000000Z", "AKID%2F20261126%2Fus-east-1%2Fs3%2Faws4_request"
    target = (
        f"/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Date={date}&X-Amz-Expires=60"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
    )
    refusal = verify(RequestHead("GET", target + "0", (("Host", "h"),)), lambda _: KEY, NOW)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SignatureDoesNotMatch"
    canonical = dict(refusal.fields)["StringToSign"]
    key = b"AWS4secret"
    for part in ("20261126", "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    made = hmac.digest(key, canonical.encode(), "sha256").hex()
    right = RequestHead("GET", target + made, (("Host", "h"),))
    assert isinstance(verify(right, lambda _: KEY, NOW), Verified)
    assert outcome(RequestHead("GET", right.target.replace("Signature", "Signatur%65"), right.headers)) == (
        "InvalidArgument"
    )
