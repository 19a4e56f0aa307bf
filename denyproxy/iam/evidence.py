"""What each element of a statement says about a request: the values."""

from __future__ import annotations

from typing import NamedTuple

from denyproxy.iam.document import Policy
from denyproxy.iam.mismatch import Doubt, Mismatch
from denyproxy.iam.statement import Statement
from denyproxy.iam.truth import Truth


class ElementEvidence(NamedTuple):
    """One element of a statement against a request."""

    element: str
    """action, resource, principal, notprincipal, condition:KEY; where a variable is the reason for a miss, `version`
    (it would match were the Version 2012-10-17) or variable:KEY. NotAction is `action`, NotResource `resource`."""
    truth: Truth
    expected: str
    """The pattern that matches, or that nearly does; all of them, where none is nearer than the others. As written."""
    actual: str | None
    """What the request has; None: nothing, or it is not known."""
    reason: Mismatch | None = None
    """Why expected and actual do not match. Present also where a negated operator or an absent key makes it YES."""
    operator: str | None = None
    """Of conditions, as written."""
    flags: tuple[Doubt, ...] = ()
    """Why the result is less than certain."""
    part: str = ""
    """action, resource, principal or condition: where it stands, whatever `element` says."""
    key: str | None = None
    """The condition key concerned, as written; of a variable, the variable's."""
    negated: bool = False
    """NotAction, NotResource, NotPrincipal, or a negated operator."""
    values: tuple[str, ...] = ()
    """Of conditions: `expected` value by value."""
    put_in: str | None = None
    """Of a variable that has a value: that value."""
    variables: tuple[tuple[str, str], ...] = ()
    """Of a condition whose values differ: the variables in them that have a value, with it."""


class StatementEvidence(NamedTuple):
    """All elements of a statement against a request: action, resource, principal, then conditions as written."""

    policy: Policy
    statement: Statement
    truth: Truth
    elements: tuple[ElementEvidence, ...]
    failing: tuple[ElementEvidence, ...]
    """The elements that do not match."""
