"""Policy documents: parsed and validated once, compiled for evaluation, never changed after.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
SKELETON: the iam developer owns this file; the names below are the contract with the other packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Effect = Literal["Allow", "Deny"]


class PolicyError(ValueError):
    """A document that is not a valid policy. `place` is a path such as `Statement[1].Effect`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document under the name by which people know it."""

    name: str
    document: Mapping[str, Any]
    """As stored (and as written: patches and patterns refer to it)."""
    arn: str | None = None
    statements: tuple[Any, ...] = ()  # tuple[Statement, ...]

    @classmethod
    def parse(cls, document: Mapping[str, Any] | str, *, name: str, arn: str | None = None) -> Policy:
        """Compile a document (mapping, or JSON text, also URL-encoded as IAM returns it).

        Raises PolicyError with the place of the first thing that is wrong."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class PolicyList:
    """The policies of one layer. `complete` False: there may be others, or more of them, that are not known."""

    policies: tuple[Policy, ...] = ()
    complete: bool = True


UNKNOWN_POLICIES = PolicyList((), complete=False)
