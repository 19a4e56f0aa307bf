"""An explanation as text for a terminal: plain, 80 columns, no colour needed."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator

from denyproxy.explain.model import Cause, Explanation, Fix, PrincipalSeen
from denyproxy.s3.request import KnownBy

WIDTH = 80
_MARGIN = 11


def to_text(explanation: Explanation, title: str | None = None) -> str:
    """All that a person needs, most important first."""
    return "\n".join(_lines(explanation, title)) + "\n"


def _lines(explanation: Explanation, title: str | None) -> Iterator[str]:
    if title:
        yield from textwrap.wrap(printable(title), WIDTH)
    yield from _entry("Request", _request(explanation))
    yield from _entry("As", _principal(explanation.principal))
    if explanation.client is not None:
        yield from _entry("For", _principal(explanation.client))
    upstream = explanation.upstream
    if upstream.status is not None:
        said = " ".join(filter(None, (str(upstream.status), upstream.code)))
        yield from _entry("S3 said", f"{said}: {upstream.message}" if upstream.message else said)
    certainty = "certain" if explanation.certain else "not certain"
    yield from _entry("Verdict", f"{explanation.verdict.value} ({certainty})")
    yield from _entry("Why", explanation.summary)
    if explanation.cause is not None:
        yield from _entry("Where", _place(explanation.cause, explanation.unknowns))
    for candidate in explanation.candidates if explanation.cause is None else ():
        yield from _entry("Candidate", f"{candidate.sentence} ({candidate.why})")
    for cause in explanation.also_blocking:
        yield from _entry("Then also", cause.sentence)
    if explanation.may_also_block:
        yield from _entry("Unknown", f"may deny as well: {', '.join(explanation.may_also_block)}")
    for fix in explanation.fixes:
        yield from _entry("Fix", f"{fix.summary} ({', '.join((fix.owner, *_standing(fix)))})")
        for blocking in fix.still_blocking:
            yield from _entry("", f"Still: {blocking}")
    for note in explanation.notes:
        yield from _entry("Note", note)


def _standing(fix: Fix) -> Iterator[str]:
    """What is known of a fix."""
    if fix.verified:
        yield "verified"
    elif fix.patch:
        yield "not verified"
    if not fix.least_privilege:
        yield "more than this request needs"


def _entry(label: str, text: str) -> Iterator[str]:
    lines = textwrap.wrap(printable(text), WIDTH - _MARGIN, break_on_hyphens=False, break_long_words=False) or [""]
    yield f"{label:<{_MARGIN - 1}} {lines[0]}"
    for line in lines[1:]:
        yield " " * _MARGIN + line


def _request(explanation: Explanation) -> str:
    if explanation.operation is None and explanation.authorization:
        asked = explanation.authorization[0]
        return f"{asked.action} on {asked.resource}"
    place = f"s3://{explanation.bucket}" if explanation.bucket else ""
    if explanation.bucket and explanation.key is not None:
        place += f"/{explanation.key}"
    return f"{explanation.operation or 'not recognised'} {place}".strip()


def _principal(principal: PrincipalSeen) -> str:
    key = f"access key {principal.access_key_id}" if principal.access_key_id else None
    if principal.arn is None:
        return f"{principal.type} ({key or 'no access key'})"
    return f"{principal.arn} ({', '.join(filter(None, (principal.type, _KNOWN_BY[KnownBy(principal.known_by)], key)))})"


_KNOWN_BY = {
    KnownBy.ACCESS_KEYS: "by access-keys.json",
    KnownBy.SETTINGS: "by the settings",
    KnownBy.IAM: "by IAM's list of keys",
    KnownBy.UPSTREAM_MESSAGE: "named by S3",
    KnownBy.PROXY_CREDENTIALS: "the credentials that denyproxy signed with",
    KnownBy.DECLARED: "as stated",
    KnownBy.NONE: None,
}


def _place(cause: Cause, unknowns: Collection[str]) -> str:
    path = " > ".join(filter(None, (cause.layer, cause.policy, cause.statement, cause.element)))
    kind, _, key = (cause.element or "").partition(":")
    actual = cause.actual
    if actual is None and kind == "condition":
        actual = "not known" if key in unknowns else "absent"
    wanted = {"explicit": "denies", "implicit": "allows"}.get(cause.effect, "expected")
    facts = [
        f"{label}: {value}" for label, value in ((wanted, cause.expected), ("request", actual)) if value is not None
    ]
    return f"{path} ({'; '.join(facts)})" if facts else path


def printable(text: str) -> str:
    """With an escape for each control character: keys and Sids are other people's, and a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)
