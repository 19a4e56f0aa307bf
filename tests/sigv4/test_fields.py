"""Header fields as a canonical request has them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""

from __future__ import annotations

from denyproxy.sigv4.fields import Covered, fields_of

HEADERS = (
    ("Host", "h"),
    ("X-Amz-Meta-A", "1"),
    ("Date", "d"),
    ("x-amz-meta-a", "2"),
    ("Authorization", "a"),
    ("X-AMZ-META-A", "3"),
)


def test_repeated_fields_are_joined_in_their_order() -> None:
    assert fields_of(HEADERS).by_name() == {"host": "h", "x-amz-meta-a": "1,2,3", "date": "d", "authorization": "a"}


def test_a_field_is_found_by_its_name_in_lower_case() -> None:
    fields = fields_of(HEADERS)
    assert [fields.get(name) for name in ("host", "x-amz-meta-a", "Host", "range")] == ["h", "1,2,3", None, None]


def test_what_a_signature_is_verified_with() -> None:
    assert fields_of(HEADERS).said == ("h", "a", None, "d", None, None)
    every = ("x-amz-security-token", "x-amz-content-sha256", "date", "x-amz-date", "authorization", "host")
    assert fields_of(tuple((name, f"of {name}") for name in every)).said == (
        "of host",
        "of authorization",
        "of x-amz-date",
        "of date",
        "of x-amz-content-sha256",
        "of x-amz-security-token",
    )
    assert fields_of(()).said == (None,) * 6


def test_the_lines_of_a_canonical_request() -> None:
    """One each in the order of the signed names, an empty one, and the names."""
    fields = fields_of(HEADERS)
    covered = Covered(("date", "host", "x-amz-meta-a"), fields.names.places)
    assert covered.lines(fields.values) == "date:d\nhost:h\nx-amz-meta-a:1,2,3\n\ndate;host;x-amz-meta-a\n"
    assert covered.listed == "date;host;x-amz-meta-a"


def test_a_signed_field_that_is_not_there_is_empty() -> None:
    fields = fields_of((("Host", "h"),))
    assert Covered(("host", "range"), fields.names.places).lines(fields.values) == "host:h\nrange:\n\nhost;range\n"
    assert Covered(("range",), fields.names.places).lines(fields.values) == "range:\n\nrange\n"


def test_white_space_in_values_collapses() -> None:
    fields = fields_of((("A", " x \t y  z "), ("B", "p q")))
    assert Covered(("a", "b"), fields.names.places).lines(fields.values) == "a:x y z\nb:p q\n\na;b\n"
    assert Covered(("a",), fields.names.places).lines(fields.values) == "a:x y z\n\na\n"


def test_percent_signs_are_no_formats() -> None:
    fields = fields_of((("x-%s", "%d"), ("%", "%%")))
    assert Covered(("%", "x-%s"), fields.names.places).lines(fields.values) == "%:%%\nx-%s:%d\n\n%;x-%s\n"
