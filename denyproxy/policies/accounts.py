"""An account's own facts, and the access keys of its principals."""

from __future__ import annotations

import re
from collections.abc import Iterator

from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.policies import shapes
from denyproxy.policies.buckets import block_public_access
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tree import Node
from denyproxy.s3.snapshot import AccountFacts

ACCOUNT_REMEDY = "correct it, or write it again from the answers of `aws s3control` and `aws s3api list-buckets`"
ACCESS_KEYS_REMEDY = "give it as one object of access key ids and principal ARNs"

_PRINCIPAL_ARN = re.compile(r"arn:[^:]+:(iam|sts)::[^:]*:.+")


def read_account(root: Node, name: str) -> FileFacts:
    """The account that the file is named after."""
    stated = root.member("Id").read(str)
    if isinstance(stated, str) and stated != name:
        root.member("Id").error(f"is {stated}, but the file is named after {name}, so that neither is known")
        return FileFacts()
    facts = AccountFacts(
        id=name, canonical_id=_canonical_id(root), alias=_alias(root), block_public_access=block_public_access(root)
    )
    return FileFacts(accounts=(Entry(name, facts),))


def read_access_keys(root: Node, name: str) -> FileFacts:
    """Access key id -> ARN of the principal whose key it is."""
    return FileFacts(access_keys=tuple(_access_keys(root)))


def _access_keys(root: Node) -> Iterator[Entry[str]]:
    for key, node in root.members():
        arn = node.read(str)
        if isinstance(arn, str) and _PRINCIPAL_ARN.fullmatch(arn):
            yield Entry(key, arn, node.place)
        elif arn is not UNKNOWN:
            # The value stays out of the message: it may be a secret, put here by mistake.
            node.error("is not the ARN of a user, role, role session, federated user or root")


def _canonical_id(root: Node) -> str | Unknown:
    stated = root.member("CanonicalUserId").read(str)
    if isinstance(stated, str):
        return stated
    owner = root.member("Owner").read(shapes.Owner)
    return owner.ID if isinstance(owner, shapes.Owner) else UNKNOWN


def _alias(root: Node) -> str | None | Unknown:
    if "Alias" in root:
        return root.member("Alias").read(str)
    aliases = root.member("AccountAliases").read(list[str])
    if aliases is None or aliases is UNKNOWN:
        return aliases
    return aliases[0] if aliases else None
