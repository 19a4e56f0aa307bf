"""A statement of a policy, compiled: does it match a request? Cheapest element first; no evidence is kept here.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_statement.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from denyproxy.iam.condition import Condition
from denyproxy.iam.context import RequestContext
from denyproxy.iam.principal import EVERYBODY, NOBODY, Naming, Principal, PrincipalElement
from denyproxy.iam.truth import Truth
from denyproxy.iam.variables import Template, fixed, resource_template, substitute, variables_of
from denyproxy.iam.wildcard import Predicate, Wild, any_glob, everything, matches_tokens, may_match, tokens_of
from denyproxy.iam.wording import Wording

Effect = Literal["Allow", "Deny"]
NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES

VariableTest = Callable[[str, RequestContext], Truth]


class Statement:
    """A compiled statement. Never changed after its policy is parsed."""

    __slots__ = (
        "_covers",
        "_matches",
        "_matches_variables",
        "_tests",
        "_wording",
        "actions",
        "conditions",
        "effect",
        "index",
        "keys",
        "label",
        "not_action",
        "not_principal",
        "not_resource",
        "place",
        "principal",
        "resource_templates",
        "resources",
        "services",
        "sid",
        "substitutes",
    )

    def __init__(
        self,
        *,
        index: int,
        place: str,
        sid: str | None,
        effect: Effect,
        actions: tuple[str, ...],
        not_action: bool,
        resources: tuple[str, ...] | None,
        not_resource: bool,
        principal: PrincipalElement | None,
        not_principal: bool,
        conditions: tuple[Condition, ...],
        substitutes: bool,
    ) -> None:
        self.index = index
        self.place = place
        """`Statement[0]`, or `Statement` where a single object stands in place of a list."""
        self.sid = sid
        self.label = sid or f"Statement[{index}]"
        self.effect = effect
        self.actions = actions
        """Patterns of Action or NotAction, as written."""
        self.services = frozenset([pattern.partition(":")[0].lower() for pattern in actions])
        """What stands before the colon in them."""
        self.not_action = not_action
        self.resources = resources
        """Patterns of Resource or NotResource, as written; None: neither element is there (role trust policies)."""
        self.not_resource = not_resource
        self.principal = principal
        """None: neither Principal nor NotPrincipal is there."""
        self.not_principal = not_principal
        self.conditions = conditions
        self.substitutes = substitutes
        """Are policy variables replaced (Version 2012-10-17)?"""
        self.resource_templates = tuple(resource_template(text, substitutes=substitutes) for text in resources or ())
        self._covers = any_glob(tokens_of(pattern.lower()) for pattern in actions)
        self._matches: Predicate = everything
        self._matches_variables: VariableTest | None = None
        if resources is not None:
            self._matches = any_glob(tokens for tokens in map(fixed, self.resource_templates) if tokens is not None)
            self._matches_variables = _variable_test(self.resource_templates, self._matches)
        self.keys = _keys(self.resource_templates, conditions)
        """The condition keys (lower case) of all conditions and variables."""
        self._tests = tuple(condition.test for condition in conditions)
        self._wording: Wording | None = None

    def moved(self, index: int, place: str) -> Statement:
        """The same statement in another place of a policy."""
        other = Statement.__new__(Statement)
        for name in Statement.__slots__:
            setattr(other, name, getattr(self, name))
        other.index = index
        other.place = place
        other.label = self.sid or f"Statement[{index}]"
        return other

    @property
    def wording(self) -> Wording:
        """Its patterns one by one, for who asks which of them it is."""
        if self._wording is None:
            entries = self.principal.entries if self.principal is not None else ()
            self._wording = Wording(
                self.actions, self.resources or (), self.resource_templates, entries, self.conditions
            )
        return self._wording

    def __repr__(self) -> str:
        return f"<Statement {self.label}>"

    def concerns(self, action: str) -> bool:
        """Does Action or NotAction cover this action (lower case)?"""
        return self._covers(action) is not self.not_action

    def is_of_service(self, action: str) -> bool:
        """Does it speak of the action's service at all?"""
        services = (action.partition(":")[0].lower(), "*")
        return self.not_action or not self.services.isdisjoint(services)

    def applies(self, resource: str, context: RequestContext) -> Truth:
        """Do Resource and Condition match, Action and Principal aside?"""
        result = YES
        if self._matches_variables is None:
            if self._matches(resource) is self.not_resource:
                return NO
        else:
            result = self._matches_variables(resource, context)
            if self.not_resource:
                result = ~result
            if result is NO:
                return NO
        for test in self._tests:
            truth = test(context)
            if truth is NO:
                return NO
            if truth is UNSURE:
                result = UNSURE
        return result

    def names(self, principal: Principal) -> Naming:
        """How does Principal or NotPrincipal name this caller? Without either, everyone is meant."""
        element = self.principal
        if element is None:
            return EVERYBODY
        if not self.not_principal:
            return element.names(principal)
        return _excluded(element, principal, denies=self.effect == "Deny")

    def matches_relevant(self, principal: Principal, resource: str, context: RequestContext) -> Truth:
        """Does it match, given that it concerns the action?"""
        truth = self.applies(resource, context)
        if truth is NO or self.principal is None:
            return truth
        return min(truth, self.names(principal).truth)


def _keys(resources: tuple[Template, ...], conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    templates = [*resources, *(template for condition in conditions for template in condition.templates)]
    variables = (variable.key.lower() for template in templates for variable in variables_of(template))
    return (*(condition.lower_key for condition in conditions), *variables)


def _excluded(element: PrincipalElement, principal: Principal, *, denies: bool) -> Naming:
    """NotPrincipal. A Deny spares only who is listed in full, and nobody who has a permissions boundary.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html"""
    listed = element.lists(principal)
    if denies:
        truth = max(~listed, principal.bounded)
    else:
        # What an Allow means for a caller who is listed in part, by role but not session say, is not documented.
        partly = element.names(principal).truth
        truth = ~listed if partly is listed else UNSURE
    return EVERYBODY if truth is YES else NOBODY if truth is NO else Naming(direct=truth)


def _variable_test(templates: tuple[Template, ...], matches: Predicate) -> VariableTest | None:
    """Does a resource match a pattern, those with variables included? None: no pattern has any."""
    dynamic = tuple(template for template in templates if fixed(template) is None)
    if not dynamic or matches is everything:
        return None

    def test(resource: str, context: RequestContext) -> Truth:
        if matches(resource):
            return YES
        result = NO
        for template in dynamic:
            tokens = substitute(template, context)
            if tokens is None:
                continue
            if Wild.ANYTHING in tokens:
                if may_match(tokens, resource):
                    result = UNSURE
            elif matches_tokens(tokens, resource):
                return YES
        return result

    return test
