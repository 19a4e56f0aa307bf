"""Can policies tell one name in a key from another of the same length?

A pattern matches a key by its literal text, and that is made of words as a name is: where none of them occurs in either
of two names, every pattern treats the two alike, and so does what is made of patterns to find out why they miss.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from denyproxy.explain.case import Case
from denyproxy.explain.evidence import Evidence
from denyproxy.iam.condition import Condition
from denyproxy.iam.statement import Statement
from denyproxy.iam.variables import variables_of

_WORD = re.compile(r"[a-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_MOST_WORDS = 200
"""That may be parts of names; more would take longer to look for than they are worth."""


class Compared:
    """The words of what a key is compared with, in lower case: near misses are found without regard to case."""

    def __init__(self, texts: Iterable[str], values: Iterable[str], longest: int) -> None:
        """`texts`: patterns as written. `values`: what stands in them for variables. `longest`: of the names."""
        whole: set[str] = set()
        parts = {word for value in values for word in _WORD.findall(value.lower())}
        for text in set(texts):
            text = text.lower()
            for found in _WORD.finditer(text):
                start, end = found.span()
                # A word beside a wildcard or a variable, or at the end, may match the part of a longer one.
                cut = "${" in text or end == len(text) or text[end] in "*?" or (start and text[start - 1] in "*?")
                (parts if cut else whole).add(found[0])
        self._whole = frozenset(whole)
        self._parts = tuple(sorted(word for word in parts if len(word) <= longest))
        self.countable = len(self._parts) <= _MOST_WORDS

    def occur_in(self, name: str) -> bool:
        """Does a policy know this name, or a part of it?"""
        name = name.lower()
        return name in self._whole or any(word in name for word in self._parts)


def compared(case: Case, name: str) -> Compared | None:
    """What the key of a call is compared with, a name being a word of it. None: with more than the words of texts."""
    buckets = {case.request.bucket, *(item.requirement.bucket for item in case.evidence.authorizations)}
    if any(bucket in buckets for bucket, _ in case.snapshot.objects):
        return None  # objects that are known by their keys
    held = _held(case.evidence)
    holding = {key for key, values in held.items() if any(name in _NAME.findall(value) for value in values)}
    texts: list[str] = []
    values: set[str] = set()
    for policy in {id(policy): policy for policy in case.evidence.policies()}.values():
        for statement in policy.statements:
            texts += statement.resources or ()
            for condition in statement.conditions:
                key = condition.lower_key
                if key in holding and not _compares_text(condition):
                    return None
                if key in holding or not (key in held or key.startswith("aws:")):
                    texts += condition.values
            for variable in _variables(statement):
                if variable in holding or not variable.startswith("aws:"):
                    return None
                values |= held.get(variable, set())
    if not all(text.isascii() for text in (*texts, *values)):
        return None  # letters that change with their case into others
    found = Compared(texts, values, len(name))
    return found if found.countable else None


def _held(evidence: Evidence) -> Mapping[str, set[str]]:
    """The values of condition keys (lower case) in all contexts."""
    authorizations = evidence.authorizations
    if evidence.missing_key_authorization is not None:
        authorizations += (evidence.missing_key_authorization,)
    held: dict[str, set[str]] = {}
    for item in authorizations:
        for key, values in item.evaluation.request.context.present.items():
            held.setdefault(key, set()).update(values)
    return held


def _compares_text(condition: Condition) -> bool:
    return condition.name is None or condition.name.stem.startswith(("String", "Arn", "Null"))


def _variables(statement: Statement) -> Iterator[str]:
    """The condition keys (lower case) that stand for text."""
    templates = [*statement.resource_templates, *(one for each in statement.conditions for one in each.templates)]
    return (variable.key.lower() for template in templates for variable in variables_of(template))
