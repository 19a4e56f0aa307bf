"""Tags, which all services write alike."""

from __future__ import annotations

from denyproxy.iam.truth import Unknown
from denyproxy.policies import shapes
from denyproxy.policies.tree import Node, told


def read_tags(node: Node) -> dict[str, str] | Unknown:
    """An array of Key and Value as a mapping; null: there are none."""
    return told(node.read(list[shapes.Tag]), {}, lambda tags: {tag.Key: tag.Value for tag in tags})
