"""KMS keys with their policies and aliases, as KMS describes them.

https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
"""

from __future__ import annotations

from denyproxy.policies import shapes
from denyproxy.policies.facts import Entry, FileFacts
from denyproxy.policies.tree import Node
from denyproxy.s3.snapshot import KmsKeyFacts

REMEDY = "correct it, or write it again from `aws kms describe-key`, `get-key-policy` and `list-aliases`"


def read_kms_key(root: Node, name: str) -> FileFacts:
    """One key: KeyMetadata, Policy, Aliases. The file's name says nothing."""
    metadata = root.member("KeyMetadata").read(shapes.KeyMetadata)
    if not isinstance(metadata, shapes.KeyMetadata):
        if not root.report.broken:
            root.error("a key needs at least KeyMetadata with its Arn")
        return FileFacts()
    facts = KmsKeyFacts(
        arn=metadata.Arn,
        account=metadata.Arn.split(":")[4],
        policy=root.member("Policy").policies("KMS key policy", principal="required"),
        aliases=_aliases(root.member("Aliases"), metadata.Arn.rpartition("/")[2]),
    )
    return FileFacts(kms_keys=(Entry(metadata.Arn, facts),))


def _aliases(listing: Node, key_id: str) -> tuple[str, ...]:
    """All aliases of the key; none if one of them is not legible."""
    items, _ = listing.items()
    entries = [entry for node in items if isinstance(entry := node.read(shapes.AliasListEntry), shapes.AliasListEntry)]
    if len(entries) < len(items):
        return ()
    return tuple(entry.AliasName for entry in entries if entry.TargetKeyId in (None, key_id))
