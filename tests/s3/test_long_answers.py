"""What a client can have repeated in an answer is read in time that grows with its length alone."""

from __future__ import annotations

import pytest

from denyproxy.exchange import ResponseHead
from denyproxy.s3.addressing import parse_address
from denyproxy.s3.denial_message import DenialMessage, parse_denial_message
from denyproxy.s3.error_document import parse_error
from tests.took import took


def test_arns_in_a_message_that_denies_nothing() -> None:
    """16 kB took 3.5 seconds."""
    message = "is not authorized: " + "arn:" * 4000
    assert took(lambda: parse_denial_message(message)) < 0.5
    assert parse_denial_message(message) is None


@pytest.mark.parametrize("page", ["<li>Code:" + " " * 60_000, "Code: <li>" * 6000, "<li>Code: x" * 6000])
def test_website_pages_whose_list_has_no_end(page: str) -> None:
    """60 kB took 10 to 40 seconds."""
    document = b"<html><li>" + page.encode()
    assert took(lambda: parse_error(ResponseHead(403), document)) < 1
    assert parse_error(ResponseHead(403), document).code is None


@pytest.mark.parametrize(
    ("before", "principal"),
    [
        ("User: arn:aws:iam::1:user/a ", "arn:aws:iam::1:user/a"),
        ("User:arn:aws:iam::1:user/a ", "arn:aws:iam::1:user/a"),
        ("User: anonymous ", "anonymous"),
        ('"arn:aws:iam::1:user/b" xarn:a:arn:b ', "arn:a:arn:b"),
        ("User: arn:aws:iam::1:user/a, who ", None),
        ("User: arn: ", None),
        ("", None),
    ],
)
def test_whom_a_message_names(before: str, principal: str | None) -> None:
    found = parse_denial_message(f"{before}is not authorized to perform: s3:GetObject")
    assert found == DenialMessage(principal, "s3:GetObject", None, None)


@pytest.mark.parametrize(
    ("host", "bucket", "key"),
    [
        ("b.s3.example.com:9000", "b", "x/k"),
        ("b.example.com", "b", "x/k"),
        ("s3.example.com", "x", "k"),
        ("gw.s3.example.com", "x", "k"),
        ("b.gw.s3.example.com", "b", "x/k"),
    ],
)
def test_the_longest_base_domain_counts(host: str, bucket: str, key: str) -> None:
    """And a host that is one itself names no bucket."""
    address = parse_address(host, "/x/k", ("example.com", "s3.example.com", "GW.s3.example.com."))
    assert (address.bucket, address.key) == (bucket, key)
