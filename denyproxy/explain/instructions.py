"""How to make a fix: the change of each policy as a diff, and the `aws` command that puts it in force."""

from __future__ import annotations

import difflib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from denyproxy.explain.model import Fix
from denyproxy.explain.patches import apply_patch

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Change:
    """One document of a scenario before and after."""

    place: tuple[str | int, ...]
    """Below `policies`; or `request`."""
    before: Any
    after: Any
    arn: str | None = None
    """Of a managed policy; of a group's inline policy, the group's."""


def all_instructions(fixes: Sequence[Fix], scenario: Document) -> str:
    """How to make each of the fixes. `scenario`: the document that their patches refer to."""
    blocks: list[str] = []
    for number, fix in enumerate(fixes, 1):
        standing = "verified" if fix.verified else "not verified"
        blocks.append(f"# Fix {number} ({fix.owner}; {standing}): {fix.summary}")
        blocks.extend([instructions(fix, scenario)] if fix.patch else [])
    return "\n".join(blocks or ["No fix is known."]) + "\n"


def instructions(fix: Fix, scenario: Document) -> str:
    """A unified diff and a command for every document that the fix's patch changes."""
    after = apply_patch(scenario, fix.patch)
    blocks = [
        "\n".join((*_diff(change), *_command(change, after)))
        for change in (*_changed_request(scenario, after), *_changed_policies(scenario, after))
    ]
    return "\n\n".join(blocks)


def _changed_request(before: Document, after: Document) -> Iterator[_Change]:
    if before["request"] is not after["request"]:
        yield _Change(("request",), before["request"], after["request"])


_SINGLE = ("bucket_policy", "vpc_endpoint_policy", "kms_key_policy")
_SETTINGS = ("acl", "block_public_access", "object_ownership")


def _changed_policies(before: Document, after: Document) -> Iterator[_Change]:
    old, new = before["policies"], after["policies"]
    for member in (*_SINGLE, *_SETTINGS):
        if old.get(member) is not new.get(member) and old.get(member) != new.get(member):
            yield _Change((member,), old.get(member), new.get(member))
    if old.get("access_point") is not new.get("access_point"):
        yield _Change(("access_point",), old["access_point"].get("policy"), new["access_point"].get("policy"))
    for member in ("identity", "session"):
        yield from _changed_list((member,), old.get(member) or (), new.get(member) or ())
    if old.get("permissions_boundary") is not new.get("permissions_boundary"):
        boundary = old["permissions_boundary"], new["permissions_boundary"]
        yield _Change(("permissions_boundary",), boundary[0]["document"], boundary[1]["document"])
    for member in ("scp", "rcp"):
        for level, (one, other) in enumerate(zip(old.get(member) or (), new.get(member) or (), strict=True)):
            yield from _changed_list((member, level), one, other)


def _changed_list(place: tuple[str | int, ...], old: Any, new: Any) -> Iterator[_Change]:
    """Policies that changed, are gone, or are new. What was left alone is the very same."""
    kept = {id(policy) for policy in old} & {id(policy) for policy in new}
    changed = {policy["name"]: policy for policy in new if id(policy) not in kept}
    for policy in old:
        if id(policy) not in kept:
            after = changed.pop(policy["name"], {}).get("document")
            yield _Change((*place, policy["name"]), policy["document"], after, policy.get("arn"))
    for name, policy in changed.items():
        yield _Change((*place, name), None, policy["document"], policy.get("arn"))


def _diff(change: _Change) -> Iterator[str]:
    name = "/".join(map(str, change.place))
    before, after = _lines(change.before), _lines(change.after)
    yield from difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")


def _lines(document: Any) -> list[str]:
    return [] if document is None else json.dumps(document, indent=2, ensure_ascii=False).splitlines()


# The commands. https://docs.aws.amazon.com/cli/latest/reference/


def _command(change: _Change, scenario: Document) -> Iterator[str]:
    make = _COMMANDS.get(str(change.place[0]))
    if make is not None:
        yield from make(change, scenario)


def _run(*words: str) -> str:
    return shlex.join(("aws", *words))


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _bucket(scenario: Document) -> str:
    point = scenario["policies"].get("access_point")
    return str(point["bucket"] if point is not None else scenario["request"].get("bucket") or "BUCKET")


def _bucket_policy(change: _Change, scenario: Document) -> Iterator[str]:
    bucket = ("--bucket", _bucket(scenario))
    if change.after is None:
        yield _run("s3api", "delete-bucket-policy", *bucket)
    else:
        yield _run("s3api", "put-bucket-policy", *bucket, "--policy", _json(change.after))


def _holder(scenario: Document) -> tuple[str, str] | None:
    """(user or role, name) that identity-based policies are embedded in."""
    request = scenario["request"]
    arn = request.get("principal_role") or request.get("principal") or ""
    kind, _, name = arn.rpartition(":")[2].partition("/")
    if kind == "assumed-role":
        return "role", name.partition("/")[0]
    return (kind, name.rpartition("/")[2]) if kind in ("user", "role") else None


def _identity(change: _Change, scenario: Document) -> Iterator[str]:
    name = str(change.place[1])
    group = change.arn is not None and ":group/" in change.arn
    if change.arn is not None and not group:
        yield _version(change.arn, change.after) if change.after is not None else _detached(name)
        return
    holder = ("group", change.arn.rpartition("/")[2]) if change.arn is not None else _holder(scenario)
    if holder is None:
        return
    kind, who = holder
    words = (f"--{kind}-name", who, "--policy-name", name)
    if change.after is None:
        yield _run("iam", f"delete-{kind}-policy", *words)
    else:
        yield _run("iam", f"put-{kind}-policy", *words, "--policy-document", _json(change.after))


def _detached(name: str) -> str:
    return f"# detach {name}: nothing is left of it"


def _version(arn: str, document: Any) -> str:
    words = ("--policy-arn", arn, "--set-as-default", "--policy-document", _json(document))
    return _run("iam", "create-policy-version", *words)


def _boundary(change: _Change, scenario: Document) -> Iterator[str]:
    boundary = scenario["policies"]["permissions_boundary"]
    account = scenario["request"].get("principal_account") or "ACCOUNT"
    yield _version(boundary.get("arn") or f"arn:aws:iam::{account}:policy/{boundary['name']}", change.after)


def _session(change: _Change, scenario: Document) -> Iterator[str]:
    call = (
        "get-federation-token" if ":federated-user/" in (scenario["request"].get("principal") or "") else "assume-role"
    )
    yield f"# pass it as --policy to: aws sts {call} ... --policy {shlex.quote(_json(change.after))}"


def _organization(change: _Change, scenario: Document) -> Iterator[str]:
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


def _vpc_endpoint(change: _Change, scenario: Document) -> Iterator[str]:
    context = {key.lower(): value for key, value in (scenario["request"].get("context") or {}).items()}
    endpoint = str(context.get("aws:sourcevpce") or "VPC-ENDPOINT-ID")
    words = ("--vpc-endpoint-id", endpoint, "--policy-document", _json(change.after))
    yield _run("ec2", "modify-vpc-endpoint", *words)


def _kms_key(change: _Change, scenario: Document) -> Iterator[str]:
    state = scenario.get("resource_state") or {}
    stored = (state.get(name) or {} for name in ("object", "source_object"))
    default = ((state.get("bucket") or {}).get("default_encryption") or {}).get("kms_key_id")
    header = {name.lower(): value for name, value in (scenario["request"].get("headers") or {}).items()}
    named = header.get("x-amz-server-side-encryption-aws-kms-key-id")
    action = scenario["request"].get("resource") if "action" in scenario["request"] else None
    key = named or next((item["kms_key_id"] for item in stored if "kms_key_id" in item), None) or default or action
    words = ("--key-id", str(key or "KEY-ID"), "--policy-name", "default", "--policy", _json(change.after))
    yield _run("kms", "put-key-policy", *words)


def _access_point(change: _Change, scenario: Document) -> Iterator[str]:
    point = scenario["policies"]["access_point"]
    words = ("--account-id", point["arn"].split(":")[4], "--name", point["name"])
    if change.after is None:
        yield _run("s3control", "delete-access-point-policy", *words)
    else:
        yield _run("s3control", "put-access-point-policy", *words, "--policy", _json(change.after))


def _acl(change: _Change, scenario: Document) -> Iterator[str]:
    request = scenario["request"]
    place = ("--bucket", _bucket(scenario), "--key", str(request.get("key") or "KEY"))
    known = (change.before or {}).get("object_grants") or ()
    yield "# by the account that owns the object"
    for grant in change.after["object_grants"]:
        if grant not in known:
            own = grant["grantee"] == request.get("resource_account") and grant["permission"] == "READ"
            option = f"--grant-{grant['permission'].lower().replace('_', '-')}"
            words = ("--acl", "bucket-owner-read") if own else (option, f"id=CANONICAL-ID-OF-{grant['grantee']}")
            yield _run("s3api", "put-object-acl", *place, *words)


def _block_public_access(change: _Change, scenario: Document) -> Iterator[str]:
    settings = ",".join(f"{name}={str(value).lower()}" for name, value in change.after.items())
    words = ("--bucket", _bucket(scenario), "--public-access-block-configuration", settings)
    yield _run("s3api", "put-public-access-block", *words)


def _ownership(change: _Change, scenario: Document) -> Iterator[str]:
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
    "x-amz-bypass-governance-retention": "--bypass-governance-retention",
    "x-amz-metadata-directive": "--metadata-directive",
    "x-amz-grant-full-control": "--grant-full-control",
    "if-none-match": "--if-none-match",
    "prefix": "--prefix",
    "delimiter": "--delimiter",
    "max-keys": "--max-keys",
}
"""Field of a request -> the option of `aws s3api` that sends it."""


def _request(change: _Change, scenario: Document) -> Iterator[str]:
    """What to add to the call, or take from it, where it is made with `aws s3api`."""
    if change.after.get("principal") == "anonymous" != change.before.get("principal"):
        yield "# aws s3api ... --no-sign-request"
    for member in ("headers", "query"):
        before, after = (
            {name.lower(): value for name, value in (side.get(member) or {}).items()}
            for side in (change.before, change.after)
        )
        for name, option in _OPTIONS.items():
            if name in after and before.get(name) != after[name]:
                flag = option == "--bypass-governance-retention"
                yield f"# aws s3api ... {option}" + ("" if flag else f" {shlex.quote(after[name])}")
            elif name in before and name not in after:
                yield f"# aws s3api ... without {option}"


_Command = Callable[[_Change, Document], Iterator[str]]
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
