"""What anyone can send in 100 kB is read in time that grows with its length alone."""

from __future__ import annotations

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.canonical import canonical_request, first_difference
from denyproxy.sigv4.credential import parse_credential
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.scope import Scope, before_signature, scope_and_names
from denyproxy.sigv4.verification import verify
from denyproxy.sigv4.wire import parse_date
from tests.sigv4.test_verification import KEY, SCOPE, START, lookup
from tests.took import took


def read_authorization(value: str) -> tuple[Scope | None, tuple[str, ...], str]:
    start, given = before_signature(value)
    return *scope_and_names(start), given


@pytest.mark.parametrize("filler", [",", " ", "\t,"])
def test_separators_in_an_authorization(filler: str) -> None:
    """12 000 commas took 3 seconds, and three times as many nine times as long."""
    value = "AWS4-HMAC-SHA256 x" + filler * 36_000 + "x"
    assert took(lambda: read_authorization(value)) < 1
    assert read_authorization(value) == (None, (), "")


def many_signed_names(names: int, fields: int) -> RequestHead:
    listed = "host;x-amz-date;" + ";".join(f"a{number}" for number in range(names))
    authorization = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders={listed}, Signature=0"
    headers = (("Host", "h"), ("x-amz-date", "20130524T000000Z"), ("Authorization", authorization))
    return RequestHead("GET", "/b/k", (*headers, *((f"x-amz-meta-{number}", "") for number in range(fields))))


def test_many_signed_names_and_many_fields() -> None:
    """Each of the names was looked for among all fields, and each of the fields among all names."""
    head = many_signed_names(50_000, 1000)
    refusal = None

    def verified() -> None:
        nonlocal refusal
        refusal = verify(head, lookup, START)

    assert took(verified) < 0.6
    assert isinstance(refusal, Refusal)
    assert refusal.message == "There were headers present in the request which were not signed"
    assert took(lambda: canonical_request(head, parse_credential(head))) < 1


def test_a_parameter_that_is_repeated_without_end() -> None:
    """Its values were joined anew for each."""
    line = "GET\n/\n" + "&".join(["a=" + "b" * 100] * 20_000) + "\n\n\n"
    assert took(lambda: first_difference(line, line)) < 1


@pytest.mark.parametrize("text", ["1" * 5000, "Mon, " * 40_000, "20130524T000000Z" + " " * 200])
def test_what_is_too_long_for_a_date(text: str) -> None:
    assert parse_date(text) is None


def test_names_of_the_key_and_of_its_scope_may_come_in_any_order() -> None:
    value = f"AWS4-HMAC-SHA256 SignedHeaders=host,\t Signature=ab , Credential={SCOPE}"
    scope, names, given = read_authorization(value)
    assert scope is not None
    assert (scope.key_id, names, given) == (KEY.access_key_id, ("host",), "ab")


@pytest.mark.parametrize(
    ("value", "start", "signature"),
    [
        ("AWS4-HMAC-SHA256 Credential=C, SignedHeaders=host, Signature=ab", True, "ab"),
        ("AWS4-HMAC-SHA256 Credential=C,SignedHeaders=host,Signature=ab", True, "ab"),
        ("AWS4-HMAC-SHA256 Signature=ab,Credential=C", False, "ab"),
        ("AWS4-HMAC-SHA256 Signature=ab\tCredential=C", False, "ab"),
        ("AWS4-HMAC-SHA256 Credential=CSignature=ab", False, ""),
        ("AWS4-HMAC-SHA256 Credential=C, SignedHeaders=host, Signature=", False, ""),
        ("AWS4-HMAC-SHA256 Credential=C, SignedHeaders=host", False, ""),
    ],
)
def test_what_stands_before_a_signature(value: str, start: bool, signature: str) -> None:
    """`start`: is it all but the signature?"""
    assert before_signature(value) == (value.removesuffix("Signature=ab") if start else value, signature)
