"""The patterns of a statement, each by itself: which of them matches, and which nearly does.

Compiled when the statement is first examined; a decision asks for all patterns at once and needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from denyproxy.iam.blame import MATCHES, MISSES, Match, match_template
from denyproxy.iam.condition_examination import ConditionWording
from denyproxy.iam.context import RequestContext
from denyproxy.iam.mismatch import ACTION_RULES, RESOURCE_RULES, Doubt, Near, near_by
from denyproxy.iam.variables import Template, fixed
from denyproxy.iam.wildcard import SEPARATORS, any_arn, any_glob, tokens_of

if TYPE_CHECKING:
    from denyproxy.iam.statement import Statement


class ResourcePattern:
    """One pattern of Resource or NotResource."""

    __slots__ = ("_matches", "_template", "doubts", "text")

    def __init__(self, text: str, template: Template) -> None:
        self.text = text
        """As written."""
        self._template = template
        tokens = fixed(template)
        self._matches = None if tokens is None else any_glob((tokens,))
        self.doubts = _doubts(text)
        """Of a resource that matches: does that depend on a wildcard that runs over the colons between segments?"""

    def match(self, resource: str, context: RequestContext) -> Match:
        """How it relates to a resource."""
        if self._matches is not None:
            return MATCHES if self._matches(resource) else MISSES
        return match_template(self._template, resource, context, arn=False)


class Wording:
    """The patterns of a statement, one by one. It does not refer to the statement: no cycle keeps a snapshot alive."""

    def __init__(self, statement: Statement) -> None:
        self._action_patterns = statement.actions
        self._resource_patterns = statement.resources or ()
        self.actions = tuple((text, any_glob((tokens_of(text.lower()),))) for text in statement.actions)
        """As written, each with its test of an action in lower case."""
        self.lower_actions = tuple((text, text.lower()) for text in statement.actions)
        self.all_actions = ", ".join(statement.actions)
        self.all_resources = ", ".join(self._resource_patterns)
        self.resources = tuple(map(ResourcePattern, self._resource_patterns, statement.resource_templates))
        entries = statement.principal.entries if statement.principal is not None else ()
        self.all_principals = ", ".join(entry.text for entry in entries)
        self.conditions = tuple(map(ConditionWording, statement.conditions))

    def covering(self, action: str) -> str | None:
        """The first pattern, as written, that covers an action (lower case)."""
        for text, covers in self.actions:
            if covers(action):
                return text
        return None

    @cached_property
    def near_actions(self) -> Near:
        """By which an action is nearly covered."""
        return near_by(self._action_patterns, ACTION_RULES)

    @cached_property
    def near_resources(self) -> Near:
        """By which a resource is nearly covered."""
        return near_by(self._resource_patterns, RESOURCE_RULES)


def _doubts(pattern: str) -> Callable[[str], tuple[Doubt, ...]]:
    if pattern == "*":
        return lambda resource: ()
    parts = pattern.split(":", SEPARATORS)
    in_service = len(parts) > 2 and ("*" in parts[2] or "?" in parts[2])
    # Variables count as text here: what they hold is after the fifth colon.
    head = ":".join((*parts[:SEPARATORS], "*")) if len(parts) > SEPARATORS else ""
    aligned = any_arn((tokens_of(head),))

    def doubts(resource: str) -> tuple[Doubt, ...]:
        if not resource.startswith("arn:"):
            return ()
        if in_service:
            return (Doubt.WILDCARD_IN_SERVICE,)
        segments = resource.split(":", SEPARATORS)[:SEPARATORS]
        return () if aligned(":".join((*segments, ""))) else (Doubt.WILDCARD_CROSSES_COLON,)

    return doubts
