"""When a pattern with variables misses: is one of them to blame, and which?"""

from __future__ import annotations

from dataclasses import dataclass

from denyproxy.iam.context import RequestContext
from denyproxy.iam.mismatch import Mismatch
from denyproxy.iam.truth import Truth
from denyproxy.iam.variables import Template, Variable, fixed, substitute, template_of, value_of, variables_of
from denyproxy.iam.wildcard import Tokens, Wild, any_arn, matches_tokens, may_match

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES


@dataclass(frozen=True, slots=True)
class Match:
    """How one pattern with its variables relates to a text."""

    truth: Truth
    element: str | None = None
    """`version` or `variable:KEY`, if a variable is to blame."""
    reason: Mismatch | None = None
    key: str | None = None


MATCHES, MISSES = Match(YES), Match(NO)


def match_template(template: Template, text: str, context: RequestContext, *, arn: bool) -> Match:
    """Match a text; `arn`: segment by segment."""
    tokens = substitute(template, context)
    if tokens is not None and Wild.ANYTHING in tokens:
        unknown = next(item for item in variables_of(template) if value_of(item, context) is Wild.ANYTHING)
        if may_match(tokens, text, arn=arn):
            return Match(UNSURE, None, Mismatch.KEY_UNKNOWN, unknown.key)
        return MISSES
    if tokens is not None and (any_arn((tokens,))(text) if arn else matches_tokens(tokens, text)):
        return MATCHES
    variables = variables_of(template)
    unresolved = tuple(variable for variable in variables if value_of(variable, context) is None)
    if unresolved:
        # Where no values would do, what is wrong is the rest of the pattern.
        if not may_match(_freed(template, unresolved, context), text, arn=arn):
            return MISSES
        return Match(NO, f"variable:{unresolved[0].key}", Mismatch.VARIABLE_UNRESOLVED, unresolved[0].key)
    for variable in variables:
        if may_match(_freed(template, (variable,), context), text, arn=arn):
            reason = Mismatch.KEY_ABSENT if context.lookup(variable.key) is None else Mismatch.VALUE_DIFFERS
            return Match(NO, f"variable:{variable.key}", reason, variable.key)
    return MISSES


def _freed(template: Template, freed: tuple[Variable, ...], context: RequestContext) -> Tokens:
    """The pattern with some of its variables, among them all that cannot be resolved, standing for anything."""
    return tuple(
        Wild.ANYTHING if part in freed else value_of(part, context) or "" if isinstance(part, Variable) else part
        for part in template
    )


def is_literal_for_its_version(
    text: str, actual: str, context: RequestContext, *, globs: bool, separators: int = 0, arn: bool = False
) -> bool:
    """Would the pattern match if its variables were replaced?"""
    if "${" not in text:
        return False
    template = template_of(text, globs=globs, separators=separators)
    if fixed(template) is not None:
        return False
    return match_template(template, actual, context, arn=arn).truth is not NO
