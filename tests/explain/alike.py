"""Policies, and denials that differ in one name alone: a name that no policy knows, one that some do, or nearly do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any
from urllib.parse import quote

from denyproxy.exchange import DeniedCall, RequestHead, ResponseHead
from denyproxy.s3.snapshot import PolicySnapshot
from tests.explain.test_explainer import ALICE, BUCKET, call, head, policies, world

KNOWN = ("team", "Team", "home", "alice", "2024", "part-0017", "x1", "b", "s3", "001", "data_7", "arn", "v2")
ACTIONS = ("s3:GetObject", "s3:Get*", "s3:PutObject", "s3:ListBucket", "s3:*", "s3:DeleteObject", "GetObject")
EXTENSIONS = ("", "", ".csv", ".parquet", ".tar.gz", "=x", " y")
VARIABLES = ("${aws:username}", "${aws:PrincipalTag/team, 'none'}", "${s3:prefix}", "${aws:userid}", "${*}")


def _segment(chance: Random) -> str:
    text = chance.choice((*KNOWN, *KNOWN, "*", "?", "*7*", "0*", "*.csv", "part-*", "p?rt-0017", *VARIABLES[:3]))
    return text if chance.random() < 0.8 else text + chance.choice(("*", "?", "-x", ".csv", *VARIABLES))


def _pattern(chance: Random) -> str:
    end = chance.choice(("", "", "/", "/*", "*"))
    path = "/".join(_segment(chance) for _ in range(chance.choice((0, 1, 1, 2, 2, 3))))
    return chance.choice(("b", "b", "b", "*", "B")) + (f"/{path}" if path else "") + end


def _condition(chance: Random) -> Mapping[str, Any]:
    texts = ["/".join(_segment(chance) for _ in range(chance.choice((1, 2, 2)))) + chance.choice(("", "/", "/*"))]
    operator, key, values = chance.choice(
        (
            ("StringLike", "s3:prefix", texts),
            ("StringEquals", "s3:prefix", texts),
            ("StringNotLikeIfExists", "s3:prefix", texts),
            ("ForAnyValue:StringEqualsIgnoreCase", "s3:prefix", texts),
            ("NumericLessThan", "s3:prefix", ["20"]),
            ("NumericLessThanEquals", "s3:max-keys", ["17"]),
            ("Null", "s3:prefix", ["true"]),
            ("StringEquals", "s3:ExistingObjectTag/owner", ["${aws:username}", "x1"]),
            ("ArnLike", "aws:PrincipalArn", [ALICE, "arn:aws:iam::*:user/v2"]),
            ("Bool", "aws:SecureTransport", ["false"]),
        )
    )
    return {operator: {key: values}}


def _statement(chance: Random) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": chance.choice(("Allow", "Allow", "Deny")),
        "Action": chance.choice(ACTIONS),
        chance.choice(("Resource", "Resource", "Resource", "NotResource")): [
            f"arn:aws:s3:::{_pattern(chance)}" for _ in range(chance.choice((1, 1, 2)))
        ],
    }
    return statement | ({"Condition": _condition(chance)} if chance.random() < 0.5 else {})


def snapshot(chance: Random) -> PolicySnapshot:
    """An identity-based policy and a bucket policy."""
    identity = policies(*(_statement(chance) for _ in range(chance.choice((1, 2, 3)))))
    rows = [{**_statement(chance), "Principal": chance.choice(("*", {"AWS": ALICE}))} for _ in range(2)]
    bucket = replace(BUCKET, policy=policies(*rows[: chance.choice((1, 2))], name="bucket policy"))
    bucket = chance.choice((bucket, bucket, BUCKET))
    return world(identity, bucket, objects={})


def _names(chance: Random) -> Iterator[str]:
    """Names of one length, all of which hold a digit: the first few unknown to the policies, most of the others not."""
    size = chance.choice((1, 2, 3, 4, 6, 9, 16, 36))
    fitting = [text for text in (*KNOWN, "part-0018", "PART-0017", "xteam7", "home-1") if len(text) <= size]
    made = 0
    while True:
        name = "".join(chance.choice("0123456789abcdefxyzABCXYZ_-") for _ in range(size))
        if fitting and made > 3 and chance.random() < 0.6:
            known = chance.choice(fitting)
            at = chance.randrange(size - len(known) + 1)
            name = name[:at] + known + name[at + len(known) :]
        if any(character.isdigit() for character in name):
            made += 1
            yield name


def denials(chance: Random, count: int) -> Iterator[DeniedCall]:
    """Denials that differ in a name, and in what each has of its own."""
    around = "/".join(chance.choice(KNOWN) for _ in range(chance.choice((1, 1, 2))))
    extension = chance.choice(EXTENSIONS)
    method = chance.choice(("GET", "GET", "PUT", "DELETE", "HEAD", "LIST", "LIST"))
    layer = chance.choice((None, "identity-based", "resource-based"))
    raw, names = chance.random() < 0.5, _names(chance)
    for number in range(count):
        key = f"{around}/{next(names)}{extension}"
        resource = "arn:aws:s3:::b"
        if method == "LIST":
            request = head("GET", f"/b?list-type=2&prefix={quote(key, safe='/' if raw else '')}&max-keys=17")
        else:
            request = head(method, f"/b/{quote(key)}")
            resource += f"/{key}"
        action = {"PUT": "s3:PutObject", "DELETE": "s3:DeleteObject", "LIST": "s3:ListBucket"}.get(
            method, "s3:GetObject"
        )
        message = "Access Denied"
        if layer is not None:
            message = (
                f'User: {ALICE} is not authorized to perform: {action} on resource: "{resource}" because no {layer} '
                f"policy allows the {action} action"
            )
        yield denial(request, number, message)


def denial(request: RequestHead, number: int, message: str) -> DeniedCall:
    """What S3 answers, with ids of its own."""
    made = call(request, message=message, id=f"ID-{number}")
    response = ResponseHead(403, "", (("x-amz-request-id", f"R{number}"),))
    return replace(made, response=response, response_body=b"" if request.method == "HEAD" else made.response_body)
