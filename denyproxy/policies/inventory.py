"""How much there is of what principals and accounts refer to: groups, managed policies, SCPs and RCPs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from denyproxy.policies.directory import Content
from denyproxy.policies.tree import Documents, Report, parse


def entries(files: Mapping[str, Content]) -> Mapping[str, int]:
    """Kind -> how many of it all files describe. What is not an object or a list counts for nothing."""
    found = {"groups": 0, "managed_policies": 0, "scps": 0, "rcps": 0}
    for name, content in files.items():
        if not isinstance(content, bytes) or not name.endswith(".json"):
            continue
        if name.startswith("iam/"):
            root = _root(name, content)
            found["groups"] += len(_list(root, "GroupDetailList"))
            found["managed_policies"] += len(_list(root, "Policies"))
        elif name == "organization.json":
            summaries = [item.get("PolicySummary") for item in _list(_root(name, content), "Policies")]
            types = [summary.get("Type") for summary in summaries if isinstance(summary, dict)]
            found["scps"] += types.count("SERVICE_CONTROL_POLICY")
            found["rcps"] += types.count("RESOURCE_CONTROL_POLICY")
    return found


def _root(name: str, content: bytes) -> Any:
    root = parse(content, Report(name, "", Documents()))
    return None if root is None else root.value


def _list(value: Any, member: str) -> list[dict[str, Any]]:
    listing = value.get(member) if isinstance(value, dict) else None
    return [item for item in listing if isinstance(item, dict)] if isinstance(listing, list) else []
