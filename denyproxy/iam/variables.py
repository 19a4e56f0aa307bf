"""Policy variables: `${key}`, `${key, 'default'}` and the escapes `${*}`, `${?}`, `${$}`.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
Substituted text is literal: a `*` in the value of a variable is no wildcard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from denyproxy.iam.context import RequestContext
from denyproxy.iam.truth import UNKNOWN
from denyproxy.iam.wildcard import SEPARATORS, Tokens, Wild, tokens_of

_VARIABLE = re.compile(r"\$\{(?:([*?$])|\s*([^\s${},'][^${},']*?)\s*(?:,\s*'([^']*)'\s*)?)\}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A reference to a condition key."""

    key: str
    """As written."""
    default: str | None = None


Template = tuple[str | Wild | Variable, ...]
"""A pattern that may hold variables."""


def template_of(text: str, *, globs: bool = True, substitutes: bool = True, separators: int = 0) -> Template:
    """Take a pattern apart.

    `globs`: are `*` and `?` wildcards? `substitutes`: are variables replaced (Version 2012-10-17), or literal text?
    `separators`: how many colons come before the part in which variables are replaced (five, in a resource ARN).
    """
    parts: list[str | Wild | Variable] = []

    def literal(piece: str) -> None:
        parts.extend(tokens_of(piece) if globs else [piece] if piece else [])

    start = 0
    if substitutes and "${" in text:
        for found in _VARIABLE.finditer(text):
            if text.count(":", 0, found.start()) < separators:
                continue
            literal(text[start : found.start()])
            escape, key, default = found.groups()
            parts.append(escape if escape else Variable(key, default))
            start = found.end()
    literal(text[start:])
    return tuple(parts)


def resource_template(text: str, *, substitutes: bool) -> Template:
    """A pattern of Resource or NotResource: variables count after the fifth colon."""
    return template_of(text, substitutes=substitutes, separators=SEPARATORS)


def fixed(template: Template) -> Tokens | None:
    """The pattern, if no variable is in it."""
    tokens = tuple(part for part in template if not isinstance(part, Variable))
    return tokens if len(tokens) == len(template) else None


def variables_of(template: Template) -> tuple[Variable, ...]:
    """The variables, in order."""
    return tuple(part for part in template if isinstance(part, Variable))


def value_of(variable: Variable, context: RequestContext) -> str | Wild | None:
    """The text that replaces a variable; ANYTHING: its key is not known; None: it cannot be resolved.

    Only keys with one value can be used as variables."""
    values = context.lookup(variable.key)
    if values is UNKNOWN or context.is_rough(variable.key.lower()):
        return Wild.ANYTHING
    return values[0] if values is not None and len(values) == 1 else variable.default


def substitute(template: Template, context: RequestContext) -> Tokens | None:
    """The pattern with its variables replaced, or None if one of them cannot be resolved."""
    tokens: list[str | Wild] = []
    for part in template:
        if isinstance(part, Variable):
            value = value_of(part, context)
            if value is None:
                return None
            tokens.append(value)
        else:
            tokens.append(part)
    return tuple(tokens)
