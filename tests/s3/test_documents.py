"""Small documents read without trust: XML, forms, ARNs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.s3.arn import Arn, access_point_arn, dns_suffix, partition_of_region
from denyproxy.s3.form import form_headers, form_key, is_form, parse_form
from denyproxy.s3.xml import MAX_DOCUMENT, child_text, children, descendant_text, descendants, parse_xml

TYPE = 'multipart/form-data; boundary="----x1"'


def form(*parts: tuple[str, str]) -> bytes:
    text = "".join(
        f'------x1\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
    )
    return (text + "------x1--\r\n").encode()


def test_fields_by_lower_case_name_the_first_counts() -> None:
    fields = parse_form(form(("KEY", "a b"), ("x-amz-meta-n", "line\r\nline"), ("key", "other")), TYPE)
    assert fields == {"key": "a b", "x-amz-meta-n": "line\r\nline"}


def test_fields_after_the_file_do_not_count() -> None:
    body = form(("key", "up/${filename}"), ("file", "DATA"), ("acl", "public-read"))
    fields = parse_form(body, TYPE)
    assert fields == {"key": "up/${filename}", "filename": ""}
    assert form_key(fields or {}) == "up/"
    assert form_key({}) is None


def test_secrets_of_a_form_are_no_headers() -> None:
    fields = {
        "acl": "private",
        "policy": "SECRET",
        "signature": "SECRET",
        "x-amz-signature": "SECRET",
        "x-amz-security-token": "SECRET",
        "x-amz-storage-class": "GLACIER",
        "success_action_status": "201",
    }
    assert form_headers(fields) == {"x-amz-acl": "private", "x-amz-storage-class": "GLACIER"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(None, TYPE), (b"", None), (b"", "multipart/form-data"), (b"x", "text/plain; boundary=x")],
)
def test_what_is_no_form(body: bytes | None, content_type: str | None) -> None:
    assert parse_form(body, content_type) is None


def test_content_types_of_forms() -> None:
    assert is_form("Multipart/Form-Data; boundary=x")
    assert not is_form("application/xml")
    assert not is_form(None)


@given(st.binary(), st.text())
def test_forms_never_raise(body: bytes, content_type: str) -> None:
    for kind in (TYPE, content_type, "multipart/form-data; boundary=" + content_type):
        fields = parse_form(b"------x1\r\n" + body, kind)
        if fields is not None:
            form_headers(fields)
            form_key(fields)


def test_elements_in_any_namespace() -> None:
    root = parse_xml(b'<a xmlns="urn:x"><b>1</b><c><b> 2 </b></c><d/></a>')
    assert [child.text for child in children(root, "b")] == ["1"]
    assert [found.text for found in descendants(root, "b")] == ["1", " 2 "]
    assert child_text(root, "b") == "1"
    assert child_text(root, "d") == ""
    assert child_text(root, "x") is None
    assert descendant_text(next(children(root, "c")), "b") == "2"
    assert descendant_text(root, "x") is None
    assert descendant_text(None, "x") is None
    assert list(children(None, "x")) == []


@pytest.mark.parametrize(
    "document",
    [
        None,
        b"",
        b"{}",
        b"<a>",
        b"<a/><b/>",
        b"<!DOCTYPE a><a/>",
        b"<a>&undefined;</a>",
        b" " * (MAX_DOCUMENT + 1) + b"<a/>",
    ],
)
def test_what_is_no_document(document: bytes | None) -> None:
    assert parse_xml(document) is None


@given(st.binary())
def test_documents_never_raise(document: bytes) -> None:
    parse_xml(document)
    parse_xml(b"<a>" + document + b"</a>")


def test_arns() -> None:
    text = "arn:aws:iam::111122223333:user/a:b"
    arn = Arn.parse(text)
    assert arn == Arn("aws", "iam", "", "111122223333", "user/a:b")
    assert str(arn) == text
    assert Arn.parse("arn:aws:s3::b") is None
    assert Arn.parse("user/a") is None
    assert access_point_arn("aws", None, "111122223333", "x.mrap") == "arn:aws:s3::111122223333:accesspoint/x.mrap"


@pytest.mark.parametrize(
    ("region", "partition", "suffix"),
    [
        ("us-east-1", "aws", "amazonaws.com"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ("cn-northwest-1", "aws-cn", "amazonaws.com.cn"),
        ("eusc-de-east-1", "aws-eusc", "amazonaws.eu"),
        ("us-isob-east-1", "aws-iso-b", "sc2s.sgov.gov"),
        (None, "aws", "amazonaws.com"),
    ],
)
def test_partitions(region: str | None, partition: str, suffix: str) -> None:
    assert partition_of_region(region) == partition
    assert dns_suffix(partition) == suffix
