"""How to make a fix: the change of each policy as a diff, and the `aws` command that puts it in force."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from denyproxy.explain.commands import Change, Document, commands, owning_account
from denyproxy.explain.model import Fix
from denyproxy.explain.patches import apply_patch

_OWNERS = "caller|identity admin|bucket owner|key owner|organization admin|network admin"
_OWNED = re.compile(rf"(?:^|; and )({_OWNERS}): ", re.IGNORECASE)


def all_instructions(fixes: Sequence[Fix], scenario: Document, revision: str = "") -> str:
    """How to make each of the fixes. `scenario`: the document that their patches refer to; `revision`: of the policies
    that it was taken from."""
    blocks: list[str] = []
    for number, fix in enumerate(fixes, 1):
        blocks.extend(_title(number, fix))
        blocks.extend([instructions(fix, scenario, revision)] if fix.patch else [])
    return "\n".join(blocks or ["No fix is known."]) + "\n"


def _title(number: int, fix: Fix) -> Iterator[str]:
    """The summary; of several owners, a line for each."""
    standing = "verified" if fix.verified else "not verified"
    standing += "" if fix.least_privilege else "; more than this request needs"
    _, *pieces = _OWNED.split(fix.summary)
    if not pieces:
        yield f"# Fix {number} ({fix.owner}; {standing}): {fix.summary}"
        return
    parts: dict[str, list[str]] = {}
    for owner, words in zip(pieces[::2], pieces[1::2], strict=True):
        parts.setdefault(owner.lower(), []).append(words)
    yield f"# Fix {number} ({standing}), in parts:"
    for owner, said in parts.items():
        yield f"#   {owner}: {'; and '.join(said).removesuffix('.')}."


def instructions(fix: Fix, scenario: Document, revision: str = "") -> str:
    """A unified diff and a command for every document that the fix's patch changes."""
    after = apply_patch(scenario, fix.patch)
    changes = [*_changed_request(scenario, after), *_changed_policies(scenario, after)]
    several = len({owning_account(change, after) for change in changes} - {None}) > 1
    blocks = []
    for change in changes:
        where = owning_account(change, after) if several else None
        lines = (*_diff(change), *_standing(change, where, revision), *commands(change, after))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _standing(change: Change, where: str | None, revision: str) -> Iterator[str]:
    """In which account, and in the place of what."""
    replaces = change.before is not None and change.place[0] != "request" and revision
    said = [f"in {where}"] if where is not None else []
    when = "in the scenario" if revision == "scenario" else f"at revision {revision}"
    said += [f"replaces what there was {when}: see whether it still is so"] if replaces else []
    if said:
        yield f"# {'; '.join(said)}"


def _changed_request(before: Document, after: Document) -> Iterator[Change]:
    if before["request"] is not after["request"]:
        yield Change(("request",), before["request"], after["request"])


_SINGLE = ("bucket_policy", "vpc_endpoint_policy", "kms_key_policy")
_SETTINGS = ("acl", "block_public_access", "object_ownership")


def _changed_policies(before: Document, after: Document) -> Iterator[Change]:
    old, new = before["policies"], after["policies"]
    # A setting that refuses a policy has to be off before the policy comes.
    for member in (*_SETTINGS, *_SINGLE):
        if old.get(member) is not new.get(member) and old.get(member) != new.get(member):
            yield Change((member,), old.get(member), new.get(member))
    if old.get("access_point") is not new.get("access_point"):
        yield Change(("access_point",), old["access_point"].get("policy"), new["access_point"].get("policy"))
    for member in ("identity", "session"):
        yield from _changed_list((member,), old.get(member) or (), new.get(member) or ())
    if old.get("permissions_boundary") is not new.get("permissions_boundary"):
        boundary = old["permissions_boundary"], new["permissions_boundary"]
        yield Change(("permissions_boundary",), boundary[0]["document"], boundary[1]["document"])
    for member in ("scp", "rcp"):
        for level, (one, other) in enumerate(zip(old.get(member) or (), new.get(member) or (), strict=True)):
            yield from _changed_list((member, level), one, other)


def _changed_list(place: tuple[str | int, ...], old: Any, new: Any) -> Iterator[Change]:
    """Policies that changed, are gone, or are new. What was left alone is the very same."""
    kept = {id(policy) for policy in old} & {id(policy) for policy in new}
    changed = {policy["name"]: policy for policy in new if id(policy) not in kept}
    for policy in old:
        if id(policy) not in kept:
            after = changed.pop(policy["name"], {}).get("document")
            yield Change((*place, policy["name"]), policy["document"], after, policy.get("arn"))
    for name, policy in changed.items():
        yield Change((*place, name), None, policy["document"], policy.get("arn"))


def _diff(change: Change) -> Iterator[str]:
    name = "/".join(map(str, change.place))
    before, after = _lines(change.before), _lines(change.after)
    yield from difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")


def _lines(document: Any) -> list[str]:
    return [] if document is None else json.dumps(document, indent=2, ensure_ascii=False).splitlines()
