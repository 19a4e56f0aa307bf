"""What can be read in a policy directory and yet is hardly meant: misspelt names, values that match nothing.

Nothing here changes what a snapshot says; `denyproxy policies` prints it.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from denyproxy.iam.condition import unreadable
from denyproxy.iam.document import Policy
from denyproxy.iam.operators import NULL, OPERATORS
from denyproxy.iam.parsing import PolicyError
from denyproxy.iam.statement import Statement
from denyproxy.policies.directory import Content
from denyproxy.policies.members import MEMBERS, NESTED
from denyproxy.policies.tree import Documents, Report, join, parse
from denyproxy.s3.actions import ACTIONS
from denyproxy.s3.arn import Arn
from denyproxy.s3.snapshot import PolicyProblem
from denyproxy.s3.spelling import (
    action_problem,
    alike,
    condition_key_problem,
    did_you_mean,
    principal_problem,
)

_POLICY_MEMBERS = frozenset({"Policy", "PolicyDocument", "Document", "Content"})
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA|GPA|NPA)[A-Z0-9]+")
_ACCOUNT = re.compile(r"\d{12}")


def warnings(files: Mapping[str, Content]) -> tuple[PolicyProblem, ...]:
    """All of it, file by file. What is broken is not looked at: that is a problem of its own."""
    return tuple(warning for name, content in sorted(files.items()) for warning in _of_file(name, content))


def _of_file(name: str, content: Content) -> Iterator[PolicyProblem]:
    kind = name[: name.index("/") + 1] if "/" in name else name
    if kind not in MEMBERS or not isinstance(content, bytes) or name.endswith("/"):
        return
    if not content.strip():
        message = "is empty, which says that there is none of it; remove it if a command that failed left it behind"
        yield PolicyProblem(name, "", message)
        return
    root = parse(content, Report(name, "", Documents()))
    if root is None:
        return
    for place, message in _walk(root.value, "", MEMBERS[kind]):
        yield PolicyProblem(name, place, message)
    bucket = name.removeprefix("buckets/").removesuffix(".json") if kind == "buckets/" else None
    for place, document in _documents(root.value, ""):
        for inner, message in _of_document(document, bucket):
            yield PolicyProblem(name, f"{place}.{inner}".strip("."), message)


# Members


def _walk(value: Any, place: str, known: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    """Members whose names are nearly those of others that are not there."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _walk(item, f"{place}[{at}]", known)
    elif isinstance(value, dict):
        for name, item in value.items():
            meant = alike(name, known) if known is not None and name not in known else None
            if meant is not None and meant not in value:
                yield join(place, name), f"is no member that is read; did you mean {meant}?"
            yield from _walk(item, join(place, name), NESTED.get(name))


# Policies


def _documents(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The policy documents of a file, but for trust policies, which are not read."""
    if isinstance(value, list):
        for at, item in enumerate(value):
            yield from _documents(item, f"{place}[{at}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = join(place, name)
            if name in _POLICY_MEMBERS and isinstance(item, str):
                yield inner, _loaded(item)
            elif name in _POLICY_MEMBERS and isinstance(item, dict) and "Statement" in item:
                yield inner, item
            elif name != "AssumeRolePolicyDocument":
                yield from _documents(item, inner)


def _loaded(text: str) -> Any:
    try:
        return json.loads(text if text.lstrip().startswith("{") else unquote(text))
    except (ValueError, RecursionError):
        return None


def _of_document(document: Any, bucket: str | None) -> Iterator[tuple[str, str]]:
    try:
        policy = Policy.parse(document, name="")
    except (PolicyError, RecursionError):
        return
    written = document["Statement"]
    parts = [written] if isinstance(written, dict) else written
    for statement, part in zip(policy.statements, parts, strict=True):
        for inner, message in _of_statement(statement, part, bucket):
            yield f"{statement.place}{'.' if inner else ''}{inner}", message


def _of_statement(statement: Statement, part: Mapping[str, Any], bucket: str | None) -> Iterator[tuple[str, str]]:
    element = "NotAction" if statement.not_action else "Action"
    for action in statement.actions:
        problem = action_problem(action, pattern=True) or _matches_nothing(action)
        if problem is not None:
            yield element, f"{action} {problem}"
    if statement.resources is None:
        yield "", "has no Resource; AWS refuses such a statement"
    elif bucket is not None and not statement.not_resource:
        yield from (("Resource", text) for text in _of_other_buckets(statement.resources, bucket))
    for name in ("Principal", "NotPrincipal"):
        yield from ((name, text) for text in _principals(part.get(name)))
    for condition in statement.conditions:
        place = join("Condition", condition.operator_text)
        if condition.name is None:
            yield place, f"there is no such operator{did_you_mean(condition.operator_text, (*OPERATORS, NULL))}"
            continue
        problem = condition_key_problem(condition.key)
        if problem is not None:
            yield place, f"{condition.key} {problem}"
        for value in unreadable(condition):
            yield (
                join(place, condition.key),
                f"{value} cannot be read as {_kind(condition.name.stem)}, and so matches nothing",
            )


def _matches_nothing(pattern: str) -> str | None:
    service, _, name = pattern.partition(":")
    if service.lower() != "s3" or ("*" not in name and "?" not in name):
        return None
    wanted = pattern.lower().replace("[", "[[]")
    return None if any(fnmatch.fnmatchcase(action.lower(), wanted) for action in ACTIONS) else "matches no action of S3"


def _of_other_buckets(resources: tuple[str, ...], bucket: str) -> Iterator[str]:
    for text in resources:
        arn = Arn.parse(text)
        if arn is None or arn.service != "s3" or arn.account or "${" in arn.resource:
            continue
        name = arn.resource.partition("/")[0].replace("[", "[[]")
        if not fnmatch.fnmatchcase(bucket, name):
            yield f"{text} is not of bucket {bucket}, whose policy this is; S3 refuses such a policy"


def _principals(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    named = value.get("AWS", ())
    for text in [named] if isinstance(named, str) else named:
        if text == "*" or _ACCOUNT.fullmatch(text) or _UNIQUE_ID.fullmatch(text) or text.startswith("${"):
            continue
        if "*" in text or "?" in text:
            yield f"{text} has a wildcard, and so names nobody; use Principal * with a condition on aws:PrincipalArn"
            continue
        no_arn = "is neither an ARN of IAM or STS, nor an account id"
        problem = no_arn if Arn.parse(text) is None else principal_problem(text)
        if problem is not None:
            yield f"{text} {problem}"
    services = value.get("Service", ())
    for text in [services] if isinstance(services, str) else services:
        if not re.search(r"\.amazonaws\.(com(\.cn)?|eu)$", text):
            yield f"{text} is no service principal, such as logging.s3.amazonaws.com"


def _kind(stem: str) -> str:
    for start, kind in (("Numeric", "a number"), ("Date", "a date"), ("Bool", "true or false"), ("Binary", "base64")):
        if stem.startswith(start):
            return kind
    if stem == NULL:
        return "true or false"
    return "an address or range" if "Ip" in stem else "an ARN"
