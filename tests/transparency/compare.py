"""Is an answer through denyproxy the one that the server gave, but for what is documented?"""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from tests.transparency.wire import Answer


def assert_equal_but_for_the_explanation(one: Answer, other: Answer) -> None:
    """`one` is direct, `other` through denyproxy."""
    if one.status != 403:
        denies_keys = one.request.endswith("?delete") and b"<Code>AccessDenied</Code>" in one.body
        assert (explanation(other) is not None) is denies_keys
        headers = tuple(field for field in other.headers if not field[0].lower().startswith("x-deny-"))
        assert replace(other, headers=headers) == one
        return
    assert without_explanation(other) == without_explanation(one)
    assert explanation(one) is None
    text = explanation(other)
    assert text
    if other.body:
        # The header is ASCII; the message has the key as it is.
        assert text in message(other).encode("ascii", "backslashreplace").decode()
        assert message(other).startswith(message(one))


def explanation(answer: Answer) -> str | None:
    return next((value for name, value in answer.headers if name.lower() == "x-deny-explanation"), None)


def message(answer: Answer) -> str:
    return ElementTree.fromstring(answer.body).findtext("Message", "")


def without_explanation(answer: Answer) -> Answer:
    """The answer without what denyproxy adds: its headers, and the Message with the Content-Length that follows."""
    headers = tuple(
        (name, "" if answer.body and name.lower() == "content-length" else value)
        for name, value in answer.headers
        if not name.lower().startswith("x-deny-")
    )
    if not answer.body:
        return replace(answer, headers=headers)
    root = ElementTree.fromstring(answer.body)
    for element in root.iter("Message"):
        element.text = None
    return replace(answer, headers=headers, body=ElementTree.tostring(root))
