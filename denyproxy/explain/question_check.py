"""Is a question asked as it must be? Whatever would be answered at random is told before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from denyproxy.iam.principal import PrincipalType
from denyproxy.s3.arn import Arn
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.operation import OperationTable, Route, parse_copy_source
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.s3.spelling import (
    action_problem,
    alike,
    bucket_problem,
    condition_key_problem,
    operation_problem,
    principal_problem,
    region_problem,
    resource_problem,
)

_COPY_SOURCE = "x-amz-copy-source"


def question_problem(request: Mapping[str, Any], table: OperationTable) -> str | None:
    """What is wrong with a request as the options of a question give it: `--option value: what and how to mend it`."""
    return next(_problems(request, table), None)


def _problems(request: Mapping[str, Any], table: OperationTable) -> Iterator[str]:
    checks: tuple[tuple[str, str, Callable[[str], str | None]], ...] = (
        ("--as", "principal", _caller_problem),
        ("--action", "action", action_problem),
        ("--operation", "operation", lambda name: operation_problem(name, table.operations)),
        ("--bucket", "bucket", bucket_problem),
        ("--region", "region", region_problem),
    )
    for option, member, check in checks:
        value = request.get(member)
        problem = None if value is None else check(value)
        if problem is not None:
            yield f"{option}: {value} {problem}"
    if "resource" in request:
        problem = resource_problem(request["action"], request["resource"])
        if problem is not None:
            yield f"--resource: {request['resource']} {problem}"
        yield from (
            f"--{name} belongs to --operation; with --action the resource says it all"
            for name in ("bucket", "key")
            if name in request
        )
    for key in request.get("context", {}):
        problem = condition_key_problem(key)
        if problem is not None:
            yield f"--context: {key} {problem}"
    if "operation" in request:
        yield from _incomplete(request, route_of(request["operation"], table))


def _caller_problem(text: str) -> str | None:
    arn = Arn.parse(text)
    if arn is None and parse_principal(text).type is not PrincipalType.UNKNOWN:
        return None
    return principal_problem(text)


def route_of(operation: str, table: OperationTable) -> Route | None:
    """What the wire has of an operation; None: it is none of the service model's."""
    return next((row for rows in table.routes.values() for row in rows if row.operation == operation), None)


def _incomplete(request: Mapping[str, Any], route: Route | None) -> Iterator[str]:
    """What the operation needs and the question does not give, or the other way round."""
    if route is None:
        return
    name = route.operation
    for option, place in (("bucket", "{Bucket}"), ("key", "{Key+}")):
        takes = place in route.path
        if takes and not request.get(option):
            yield f"--operation {name} needs --{option}"
        elif not takes and option in request:
            yield f"--operation {name} takes no {option}{_instead(name, option, request[option])}"
    headers = {header.lower(): value for header, value in request.get("headers", {}).items()}
    if _COPY_SOURCE in route.required_headers:
        if _COPY_SOURCE not in headers:
            yield f"--operation {name} needs its source: --header {_COPY_SOURCE}:BUCKET/KEY"
        elif parse_copy_source(headers[_COPY_SOURCE]) is None:
            yield f"--header {_COPY_SOURCE}: {headers[_COPY_SOURCE]} is not BUCKET/KEY"


def _instead(operation: str, option: str, value: str) -> str:
    if option == "key" and operation in ("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"):
        return f"; to list what begins with it, give --query prefix={value}"
    return ""


def stranger_problem(principal: str, snapshot: PolicySnapshot) -> str | None:
    """What is wrong with a user or role that the snapshot does not have, though it has the account. None: nothing, or
    the account is not known as a whole."""
    caller = parse_principal(principal, None, snapshot)
    if caller.type is PrincipalType.USER:
        holder, kind = principal, "user"
    elif caller.type is PrincipalType.ROLE_SESSION:
        holder, kind = caller.issuer or principal, "role"
    else:
        return None
    account = [arn for arn in snapshot.principals if arn.split(":")[4] == caller.account]
    broken = any(problem.file.startswith("iam/") for problem in snapshot.problems)
    if not account or broken or holder in snapshot.principals:
        return None
    name = _name(holder)
    own = [arn for arn in account if f":{kind}/" in arn]
    same = next((arn for arn in own if _name(arn).lower() == name.lower()), None)
    meant = same or next((arn for arn in own if _name(arn) == alike(name, map(_name, own))), None)
    hint = f"; did you mean {meant}?" if meant is not None else ""
    return f"account {caller.account} has no {kind} {holder.partition(f':{kind}/')[2] or name}{hint}"


def _name(arn: str) -> str:
    """Without path; of a session's ARN the role's name."""
    resource = arn.rpartition(":")[2]
    return resource.split("/")[1] if resource.startswith("assumed-role/") else resource.rpartition("/")[2]
