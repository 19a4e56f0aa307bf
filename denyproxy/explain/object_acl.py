"""The commands that change the ACL of an object: S3 replaces it as a whole, so all its grants have to be sent.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_GROUPS = {
    "AllUsers": "http://acs.amazonaws.com/groups/global/AllUsers",
    "AuthenticatedUsers": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    "LogDelivery": "http://acs.amazonaws.com/groups/s3/LogDelivery",
}
_ACCOUNT_DIGITS = 12


def acl_commands(grants: Sequence[Mapping[str, str]], scenario: Mapping[str, Any], bucket: str) -> Iterator[str]:
    """For the owner of the scenario's object: see the ACL, then replace it. `grants`: those that it is to have."""
    request, state = scenario["request"], scenario.get("resource_state") or {}
    owner = (state.get("object") or {}).get("owner_account")
    place = ["--bucket", bucket, "--key", str(request.get("key") or "KEY")]
    version = (request.get("query") or {}).get("versionId")
    place += ["--version-id", version] if version else []
    whose = f"account {owner}" if owner else "the account"
    yield f"# by {whose}, which owns the object; all grants that this prints have to be in the command after it:"
    yield shlex.join(("aws", "s3api", "get-object-acl", *place))
    owning = _canonical(owner) if owner else "CANONICAL-ID-OF-THE-OWNER"
    document = {"Owner": {"ID": owning}, "Grants": [_grant(item) for item in grants]}
    if "CANONICAL-ID-OF" in json.dumps(document):
        yield "# the canonical id of an account: aws s3api list-buckets --query Owner.ID, with its credentials"
    if "acl" in (scenario.get("unknown") or ()):
        yield "# what the ACL grants today is not known: add it"
    text = json.dumps(document, separators=(",", ":"))
    yield shlex.join(("aws", "s3api", "put-object-acl", *place, "--access-control-policy", text))


def _grant(item: Mapping[str, str]) -> dict[str, Any]:
    group = _GROUPS.get(item["grantee"])
    who = {"Type": "Group", "URI": group} if group else {"Type": "CanonicalUser", "ID": _canonical(item["grantee"])}
    return {"Grantee": who, "Permission": item["permission"]}


def _canonical(grantee: str) -> str:
    is_account = grantee.isdecimal() and len(grantee) == _ACCOUNT_DIGITS
    return f"CANONICAL-ID-OF-{grantee}" if is_account else grantee
