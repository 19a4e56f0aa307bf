"""The header line, the message, and what a denied caller may learn."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.explain.model import Cause, Explanation, PoliciesUsed, PrincipalSeen, UpstreamAnswer, Verdict
from denyproxy.explain.presentation import (
    Disclosure,
    Presentation,
    append_to_message,
    disclosed,
    header_line,
    present,
)

SUMMARY = "Explicit deny in a resource-based policy: statement Secret denies it."
EXPLANATION = Explanation(
    id="01ABC",
    time=datetime(2026, 5, 1, tzinfo=UTC),
    verdict=Verdict.EXPLICIT_DENY,
    certain=True,
    summary=SUMMARY,
    principal=PrincipalSeen(),
    cause=Cause(layer="bucket-policy", effect="explicit", action="s3:GetObject", statement="Secret"),
    upstream=UpstreamAnswer(),
)
BODY = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>1</RequestId></Error>"


def texts(presentation: Presentation, *, own_account: bool = False) -> tuple[str, str]:
    answer = present(EXPLANATION, own_account=own_account, presentation=presentation, method="GET", body=BODY)
    assert answer.body is not None
    message = ElementTree.fromstring(answer.body).findtext("Message")
    return dict(answer.headers)["X-Deny-Explanation"], message or ""


def test_full_disclosure_says_all_in_header_and_message() -> None:
    header, message = texts(Presentation(Disclosure.FULL))
    assert header == SUMMARY
    assert message == f"Access Denied. {SUMMARY} (denyproxy 01ABC)"


def test_policies_that_cannot_be_read_are_told_where_they_may_matter() -> None:
    damaged = EXPLANATION.model_copy(
        update={"certain": False, "policies": PoliciesUsed(problems=("policies: cannot be read",))}
    )
    assert "policies: cannot be read" in disclosed(damaged, Disclosure.FULL)
    assert "policies: cannot be read" not in disclosed(damaged, Disclosure.ID)
    sure = damaged.model_copy(update={"certain": True})
    assert disclosed(sure, Disclosure.FULL) == SUMMARY


def test_a_summary_names_the_layer_and_no_statement() -> None:
    for text in texts(Presentation(Disclosure.SUMMARY)):
        assert "bucket-policy" in text
        assert "Secret" not in text


def test_the_id_alone() -> None:
    for text in texts(Presentation(Disclosure.ID)):
        assert "01ABC" in text
        assert "bucket-policy" not in text
        assert "Secret" not in text


@pytest.mark.parametrize(
    ("loopback", "own_account", "full"), [(True, False, True), (False, True, True), (False, False, False)]
)
def test_auto_is_full_on_loopback_and_for_the_owners_account(loopback: bool, own_account: bool, full: bool) -> None:
    for text in texts(Presentation(Disclosure.AUTO, loopback=loopback), own_account=own_account):
        assert ("Secret" in text) is full


def test_the_id_always_has_a_header_of_its_own() -> None:
    answer = present(EXPLANATION, own_account=False, presentation=Presentation(Disclosure.ID), method="GET", body=BODY)
    assert ("X-Deny-Explanation-Id", "01ABC") in answer.headers


def test_a_head_gets_the_header_alone() -> None:
    answer = present(EXPLANATION, own_account=True, presentation=Presentation(), method="HEAD", body=b"")
    assert answer.body is None
    assert dict(answer.headers)["X-Deny-Explanation"] == SUMMARY


def test_the_original_message_can_be_kept() -> None:
    presentation = Presentation(append_message=False)
    assert present(EXPLANATION, own_account=True, presentation=presentation, method="GET", body=BODY).body is None


def test_everything_but_the_message_stays_byte_for_byte() -> None:
    changed = append_to_message(BODY, "why")
    assert changed == BODY.replace(b"Access Denied", b"Access Denied. why")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("<Message></Message>", "why"),
        ("<Message/>", "why"),
        ("", "why"),
        ("<Message>Access Denied.</Message>", "Access Denied. why"),
        ("<Message>a &lt;b&gt;</Message>", "a <b>. why"),
    ],
)
def test_messages_of_all_servers(message: str, expected: str) -> None:
    body = f"<Error><Code>AccessDenied</Code>{message}</Error>".encode()
    changed = append_to_message(body, "why")
    assert changed is not None
    assert ElementTree.fromstring(changed).findtext("Message") == expected


def test_a_namespace_and_a_declaration_are_kept() -> None:
    body = (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    )
    assert append_to_message(body, "why") == body.replace(b"Access Denied", b"Access Denied. why")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Forbidden",
        b'{"Message": "no"}',
        b"<html><Message>x</Message></html>",
        b"<Error><Message>cut off",
        b'<!DOCTYPE Error [<!ENTITY a "b">]><Error><Code>x</Code><Message>&a;</Message></Error>',
        b"\xff\xfe<Error/>",
    ],
)
def test_anything_but_an_error_document_is_left_alone(body: bytes) -> None:
    assert append_to_message(body, "why") is None


@given(st.text(), st.integers(min_value=8, max_value=2048))
def test_a_header_is_one_bounded_line_of_printable_ascii(text: str, limit: int) -> None:
    line = header_line(text, limit)
    assert len(line) <= limit
    assert all(" " <= char <= "~" for char in line)


@given(st.text(max_size=300))
def test_any_text_keeps_the_document_well_formed(text: str) -> None:
    changed = append_to_message(BODY, text)
    assert changed is not None
    root = ElementTree.fromstring(changed)
    assert [child.tag for child in root] == ["Code", "Message", "RequestId"]
    assert (root.findtext("Message") or "").startswith("Access Denied")
