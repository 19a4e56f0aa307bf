"""What the denied caller gets to see: a header line, and S3's error message with the explanation appended."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from xml.sax.saxutils import escape

from denyproxy.exchange import Answer, Headers
from denyproxy.explain.model import Explanation, Verdict
from denyproxy.s3.xml import local_name, parse_xml

HEADER = "X-Deny-Explanation"
ID_HEADER = "X-Deny-Explanation-Id"


class Disclosure(StrEnum):
    """How much a denied caller may learn. The log always has all of it."""

    FULL = "full"
    SUMMARY = "summary"
    """The layer and how it denies; no names of policies, statements or patterns."""
    ID = "id"
    """Only the id under which the log has the rest."""
    AUTO = "auto"
    """FULL on a loopback listener; else FULL for an authenticated caller of the bucket's own account, ID for others."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """Settings of the delivery."""

    disclosure: Disclosure = Disclosure.AUTO
    loopback: bool = True
    """Is the listener bound to loopback only?"""
    append_message: bool = True
    header_bytes: int = 1024


def present(
    explanation: Explanation, *, own_account: bool, presentation: Presentation, method: str, body: bytes | None
) -> Answer:
    """The changes to the response. `own_account`: an authenticated caller of the account that owns the bucket."""
    text = disclosed(explanation, effective(presentation, own_account=own_account))
    return answer(text, explanation.id, presentation=presentation, method=method, body=body)


def answer(text: str, call_id: str, *, presentation: Presentation, method: str, body: bytes | None) -> Answer:
    """The changes to the response that say this."""
    headers: Headers = (
        (HEADER, header_line(text, presentation.header_bytes)),
        (ID_HEADER, header_line(call_id, 128)),
    )
    if not presentation.append_message or method == "HEAD" or not body:
        return Answer(headers)
    return Answer(headers, append_to_message(body, f"{text} (denyproxy {call_id})"))


def effective(presentation: Presentation, *, own_account: bool) -> Disclosure:
    """How much is disclosed to a caller (not AUTO)."""
    if presentation.disclosure is not Disclosure.AUTO:
        return presentation.disclosure
    return Disclosure.FULL if presentation.loopback or own_account else Disclosure.ID


def disclosed(explanation: Explanation, disclosure: Disclosure) -> str:
    """The text at a level of disclosure (not AUTO)."""
    if disclosure is Disclosure.ID:
        return f"see the denyproxy log for id {explanation.id}"
    if disclosure is Disclosure.SUMMARY:
        return _outline(explanation)
    fix = f" Fix ({explanation.fixes[0].owner}): {explanation.fixes[0].summary}" if explanation.fixes else ""
    problems = explanation.policies.problems
    damage = f" Not all policies could be read: {problems[0]}." if problems and not explanation.certain else ""
    return f"{explanation.summary}{fix}{damage}"


def _outline(explanation: Explanation) -> str:
    cause = explanation.cause
    if cause is None or explanation.verdict is Verdict.CANDIDATES:
        return f"{explanation.verdict.value}; see the denyproxy log for id {explanation.id}"
    what = f" of {cause.action}" if cause.action else ""
    return f"{cause.effect} denial{what} by {cause.layer}; see the denyproxy log for id {explanation.id}"


def header_line(text: str, limit: int) -> str:
    """One line of printable ASCII, at most `limit` bytes; anything else is written as an escape."""
    line = " ".join(text.split()).encode("ascii", "backslashreplace").decode("ascii")
    if not line.isprintable():
        line = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)
    return line if len(line) <= limit else line[: max(limit - 3, 0)] + "..."


_MESSAGE = re.compile(rb"<Message\s*/>|<Message>(.*?)</Message>", re.DOTALL)
_CODE_END = b"</Code>"


def append_to_message(body: bytes, text: str) -> bytes | None:
    """An S3 error document with `text` appended to its Message; None: it is not one, and is left alone."""
    root = parse_xml(body)
    if root is None or local_name(root) != "Error":
        return None
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    addition = escape(text).encode("ascii", "xmlcharrefreplace")
    found = _MESSAGE.search(body)
    if found is None:
        place = body.find(_CODE_END)
        if place < 0:
            return None
        place += len(_CODE_END)
        return body[:place] + b"<Message>" + addition + b"</Message>" + body[place:]
    original = (found.group(1) or b"").strip()
    separator = b"" if not original else b" " if original.endswith((b".", b"!", b"?")) else b". "
    message = b"<Message>" + original + separator + addition + b"</Message>"
    return body[: found.start()] + message + body[found.end() :]
