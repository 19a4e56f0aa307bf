"""The `aws` commands that put changed policies and settings of a scenario in force.

https://docs.aws.amazon.com/cli/latest/reference/
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from denyproxy.explain.object_acl import acl_commands
from denyproxy.iam.truth import Truth
from denyproxy.s3.arn import Arn
from denyproxy.s3.public_access import document_is_public

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One document of a scenario before and after."""

    place: tuple[str | int, ...]
    """Below `policies`; or `request`."""
    before: Any
    after: Any
    arn: str | None = None
    """Of a managed policy; of a group's inline policy, the group's."""


def commands(change: Change, scenario: Document) -> Iterator[str]:
    """The commands for one change, with comments. `scenario`: the whole document after the change."""
    make = _COMMANDS.get(str(change.place[0]))
    if make is not None:
        yield from make(change, scenario)


def owning_account(change: Change, scenario: Document) -> str | None:
    """Where the commands have to be run; None: for the request, nowhere in particular."""
    request, state = scenario["request"], scenario.get("resource_state") or {}
    match change.place[0]:
        case "identity" | "permissions_boundary" | "session":
            account = request.get("principal_account")
        case "bucket_policy" | "block_public_access" | "object_ownership" | "access_point":
            account = request.get("resource_account")
        case "acl":
            account = (state.get("object") or {}).get("owner_account")
        case "kms_key_policy":
            arn = _kms_key_id(scenario)
            account = arn.split(":")[4] if arn.startswith("arn:") else (state.get("kms") or {}).get("account")
        case "scp" | "rcp":
            return "the management account of the organization"
        case "vpc_endpoint_policy":
            return "the account of the VPC endpoint"
        case _:
            return None
    return f"account {account}" if account else None


def _run(*words: str) -> str:
    return shlex.join(("aws", *words))


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _bucket(scenario: Document) -> str:
    point = scenario["policies"].get("access_point")
    if point is not None:
        return str(point["bucket"])
    # A question about one action names the bucket in its resource.
    arn = Arn.parse(scenario["request"].get("resource") or "")
    of_bucket = arn is not None and arn.service == "s3" and not arn.account
    of_resource = arn.resource.partition("/")[0] if arn is not None and of_bucket else None
    return str(scenario["request"].get("bucket") or of_resource or "BUCKET")


def _bucket_policy(change: Change, scenario: Document) -> Iterator[str]:
    bucket = ("--bucket", _bucket(scenario))
    if change.after is None:
        yield _run("s3api", "delete-bucket-policy", *bucket)
        return
    blocked = (scenario["policies"].get("block_public_access") or {}).get("BlockPublicPolicy")
    if blocked and document_is_public(change.after) is Truth.YES:
        yield "# refused while BlockPublicPolicy of S3 Block Public Access is on"
    yield _run("s3api", "put-bucket-policy", *bucket, "--policy", _json(change.after))


def _holder(scenario: Document) -> tuple[str, str] | None:
    """(user or role, name) that identity-based policies are embedded in."""
    request = scenario["request"]
    arn = request.get("principal_role") or request.get("principal") or ""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return "role", name.partition("/")[0]
    return (kind, name.rpartition("/")[2]) if kind in ("user", "role") else None


def _identity(change: Change, scenario: Document) -> Iterator[str]:
    name = str(change.place[1])
    group = change.arn is not None and ":group/" in change.arn
    if change.arn is not None and not group:
        yield from _version(change.arn, change.after) if change.after is not None else [_detached(name)]
        return
    holder = ("group", change.arn.rpartition("/")[2]) if change.arn is not None else _holder(scenario)
    if holder is None:
        return
    kind, who = holder
    words = (f"--{kind}-name", who, "--policy-name", name)
    if change.after is None:
        yield _run("iam", f"delete-{kind}-policy", *words)
        return
    if change.before is None and "identity" in (scenario.get("unknown") or ()):
        yield f"# one of that name would be replaced: first {_run('iam', f'list-{kind}-policies', *words[:2])}"
    yield _run("iam", f"put-{kind}-policy", *words, "--policy-document", _json(change.after))


def _detached(name: str) -> str:
    return f"# detach {name}: nothing is left of it"


def _version(arn: str, document: Any) -> Iterator[str]:
    words = ("--policy-arn", arn, "--set-as-default", "--policy-document", _json(document))
    yield f"# at five versions, the most there can be, first: aws iam delete-policy-version --policy-arn {arn} ..."
    yield _run("iam", "create-policy-version", *words)


def _boundary(change: Change, scenario: Document) -> Iterator[str]:
    boundary = scenario["policies"]["permissions_boundary"]
    account = scenario["request"].get("principal_account") or "ACCOUNT"
    yield from _version(boundary.get("arn") or f"arn:aws:iam::{account}:policy/{boundary['name']}", change.after)


def _session(change: Change, scenario: Document) -> Iterator[str]:
    call = (
        "get-federation-token" if ":federated-user/" in (scenario["request"].get("principal") or "") else "assume-role"
    )
    yield f"# pass it as --policy to: aws sts {call} ... --policy {shlex.quote(_json(change.after))}"


def _organization(change: Change, scenario: Document) -> Iterator[str]:
    member, _, name = change.place
    if change.after is None:
        yield _detached(str(name))
    elif change.before is None:
        kind = "SERVICE_CONTROL_POLICY" if member == "scp" else "RESOURCE_CONTROL_POLICY"
        words = ("--name", str(name), "--description", "", "--type", kind)
        yield _run("organizations", "create-policy", *words, "--content", _json(change.after))
    else:
        policy_id = change.arn.rpartition("/")[2] if change.arn is not None else f"ID-OF-{name}"
        yield _run("organizations", "update-policy", "--policy-id", policy_id, "--content", _json(change.after))


def _vpc_endpoint(change: Change, scenario: Document) -> Iterator[str]:
    context = {key.lower(): value for key, value in (scenario["request"].get("context") or {}).items()}
    endpoint = str(context.get("aws:sourcevpce") or "VPC-ENDPOINT-ID")
    words = (*_region(scenario["request"].get("region")), "--vpc-endpoint-id", endpoint)
    words = (*words, "--policy-document", _json(change.after))
    yield _run("ec2", "modify-vpc-endpoint", *words)


def _region(region: str | None) -> tuple[str, ...]:
    return ("--region", region) if region else ()


def _kms_key(change: Change, scenario: Document) -> Iterator[str]:
    key = _kms_key_id(scenario)
    region = _region(key.split(":")[3] if key.startswith("arn:") else scenario["request"].get("region"))
    if "alias/" in key:
        found = _run("kms", "describe-key", *region, "--key-id", key, "--query", "KeyMetadata.KeyId")
        yield f"# an alias does not do: KEY-ID is what this prints: {found}"
        key = "KEY-ID"
    words = (*region, "--key-id", key, "--policy-name", "default", "--policy", _json(change.after))
    yield _run("kms", "put-key-policy", *words)


def _kms_key_id(scenario: Document) -> str:
    state = scenario.get("resource_state") or {}
    stored = (state.get(name) or {} for name in ("object", "source_object"))
    default = ((state.get("bucket") or {}).get("default_encryption") or {}).get("kms_key_id")
    header = {name.lower(): value for name, value in (scenario["request"].get("headers") or {}).items()}
    named = header.get("x-amz-server-side-encryption-aws-kms-key-id")
    action = scenario["request"].get("resource") if "action" in scenario["request"] else None
    key = named or next((item["kms_key_id"] for item in stored if "kms_key_id" in item), None) or default or action
    return str(key or "KEY-ID")


def _access_point(change: Change, scenario: Document) -> Iterator[str]:
    point = scenario["policies"]["access_point"]
    arn = point["arn"].split(":")
    words = (*_region(arn[3]), "--account-id", arn[4], "--name", point["name"])
    if change.after is None:
        yield _run("s3control", "delete-access-point-policy", *words)
    else:
        yield _run("s3control", "put-access-point-policy", *words, "--policy", _json(change.after))


def _acl(change: Change, scenario: Document) -> Iterator[str]:
    yield from acl_commands(change.after["object_grants"], scenario, _bucket(scenario))


def _block_public_access(change: Change, scenario: Document) -> Iterator[str]:
    settings = ",".join(f"{name}={str(value).lower()}" for name, value in change.after.items())
    words = ("--bucket", _bucket(scenario), "--public-access-block-configuration", settings)
    yield "# where it is the account's setting: aws s3control put-public-access-block --account-id ..."
    yield _run("s3api", "put-public-access-block", *words)


def _ownership(change: Change, scenario: Document) -> Iterator[str]:
    controls = f"Rules=[{{ObjectOwnership={change.after}}}]"
    words = ("--bucket", _bucket(scenario), "--ownership-controls", controls)
    yield _run("s3api", "put-bucket-ownership-controls", *words)


_OPTIONS: Mapping[str, str] = {
    "x-amz-acl": "--acl",
    "x-amz-server-side-encryption": "--server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "--ssekms-key-id",
    "x-amz-storage-class": "--storage-class",
    "x-amz-tagging": "--tagging",
    "x-amz-request-payer": "--request-payer",
    "x-amz-expected-bucket-owner": "--expected-bucket-owner",
    "x-amz-source-expected-bucket-owner": "--expected-source-bucket-owner",
    "x-amz-server-side-encryption-customer-algorithm": "--sse-customer-algorithm",
    "x-amz-server-side-encryption-customer-key": "--sse-customer-key",
    "x-amz-server-side-encryption-customer-key-md5": "--sse-customer-key-md5",
    "x-amz-bypass-governance-retention": "--bypass-governance-retention",
    "x-amz-metadata-directive": "--metadata-directive",
    "x-amz-grant-full-control": "--grant-full-control",
    "if-none-match": "--if-none-match",
    "prefix": "--prefix",
    "delimiter": "--delimiter",
    "max-keys": "--max-keys",
}
"""Field of a request -> the option of `aws s3api` that sends it."""


_SSE_C = "x-amz-server-side-encryption-customer-algorithm"
_OF_SSE_C = [option for name, option in _OPTIONS.items() if name.startswith("x-amz-server-side-encryption-customer-")]


def _request(change: Change, scenario: Document) -> Iterator[str]:
    """What to add to the call, or take from it, where it is made with `aws s3api`."""
    if change.after.get("principal") == "anonymous" != change.before.get("principal"):
        yield "# aws s3api ... --no-sign-request"
    if {"x-amz-algorithm", "x-amz-signature"} & {name.lower() for name in change.before.get("query") or {}}:
        # A presigned URL is used by other clients.
        return
    for member in ("headers", "query"):
        before, after = (
            {name.lower(): value for name, value in (side.get(member) or {}).items()}
            for side in (change.before, change.after)
        )
        if _SSE_C in before and _SSE_C not in after:
            yield f"# aws s3api ... without {', '.join(_OF_SSE_C)}"
        for name, option in _OPTIONS.items():
            if option in _OF_SSE_C:
                continue
            if name in after and before.get(name) != after[name]:
                flag = option == "--bypass-governance-retention"
                yield f"# aws s3api ... {option}" + ("" if flag else f" {shlex.quote(after[name])}")
            elif name in before and name not in after:
                yield f"# aws s3api ... without {option}"


_Command = Callable[[Change, Document], Iterator[str]]
_COMMANDS: Mapping[str, _Command] = {
    "request": _request,
    "bucket_policy": _bucket_policy,
    "identity": _identity,
    "permissions_boundary": _boundary,
    "session": _session,
    "scp": _organization,
    "rcp": _organization,
    "vpc_endpoint_policy": _vpc_endpoint,
    "kms_key_policy": _kms_key,
    "access_point": _access_point,
    "acl": _acl,
    "block_public_access": _block_public_access,
    "object_ownership": _ownership,
}
