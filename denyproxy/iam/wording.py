"""The patterns of a statement, each by itself: which of them matches, and which nearly does.

Compiled when the statement is first examined; a decision asks for all patterns at once and needs none of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from denyproxy.iam.blame import MATCHES, MISSES, Match, match_template
from denyproxy.iam.condition import Condition, unreadable
from denyproxy.iam.context import RequestContext
from denyproxy.iam.mismatch import (
    ACTION_RULES,
    ARN_RULES,
    EXACT_RULES,
    FOLDED_RULES,
    GLOB_RULES,
    RESOURCE_RULES,
    Doubt,
    Near,
    Rule,
    near_by,
)
from denyproxy.iam.principal import Named
from denyproxy.iam.variables import Template, fixed
from denyproxy.iam.wildcard import SEPARATORS, Predicate, any_arn, any_glob, nothing, tokens_of


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


_RULES: Mapping[str, tuple[Rule, ...]] = {
    "StringEquals": EXACT_RULES,
    "StringNotEquals": EXACT_RULES,
    "StringEqualsIgnoreCase": FOLDED_RULES,
    "StringNotEqualsIgnoreCase": FOLDED_RULES,
    "StringLike": GLOB_RULES,
    "StringNotLike": GLOB_RULES,
    "ArnEquals": ARN_RULES,
    "ArnLike": ARN_RULES,
    "ArnNotEquals": ARN_RULES,
    "ArnNotLike": ARN_RULES,
}


class ConditionWording:
    """The values of a condition one by one. Made when its statement is first examined."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        self.element = f"condition:{condition.key}"
        self.all_values = ", ".join(condition.values)
        self.unreadable = unreadable(condition)
        operator, name = condition.operator, condition.name
        static = [tokens for tokens in map(fixed, condition.templates) if tokens is not None]
        self.matches: Predicate = nothing if operator is None else operator.any_of(static)
        """The test of the values without variables."""
        doubts: list[Doubt] = []
        if name is None:
            doubts.append(Doubt.UNKNOWN_OPERATOR)
        elif self.unreadable:
            doubts.append(Doubt.UNREADABLE_VALUE)
        if operator is not None and operator.doubtful_variables and len(static) < len(condition.templates):
            doubts.append(Doubt.BOOL_VARIABLE)
        self.doubts = tuple(doubts)
        """Whatever the request is."""

    @cached_property
    def near(self) -> Near:
        """By which a value is nearly met."""
        operator = self.condition.operator
        return near_by(self.condition.values, () if operator is None else _RULES.get(operator.name, ()))


class Wording:
    """The patterns of a statement, one by one. It does not refer to the statement: no cycle keeps a snapshot alive."""

    def __init__(
        self,
        actions: tuple[str, ...],
        resources: tuple[str, ...],
        templates: tuple[Template, ...],
        principals: Sequence[Named],
        conditions: tuple[Condition, ...],
    ) -> None:
        """`templates`: of `resources`."""
        self._action_patterns = actions
        self._resource_patterns = resources
        self.actions = tuple((text, any_glob((tokens_of(text.lower()),))) for text in actions)
        """As written, each with its test of an action in lower case."""
        self.lower_actions = tuple((text, text.lower()) for text in actions)
        self.all_actions = ", ".join(actions)
        self.all_resources = ", ".join(resources)
        self.resources = tuple(map(ResourcePattern, resources, templates))
        self.all_principals = ", ".join(entry.text for entry in principals)
        self.conditions = tuple(map(ConditionWording, conditions))

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
