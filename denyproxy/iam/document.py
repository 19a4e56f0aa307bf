"""Policy documents: parsed and validated once, compiled for evaluation, never changed after.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from denyproxy.iam.parsing import listed, read_document, read_statements
from denyproxy.iam.statement import Statement


class Relevant(NamedTuple):
    """The statements of a policy that can concern an action, in document order."""

    all: tuple[Statement, ...]
    denies: tuple[Statement, ...]
    allows: tuple[Statement, ...]


class Meant(NamedTuple):
    """An Allow, by what it has to do with an action."""

    statement: Statement
    covers: bool
    of_service: bool
    """Does it speak of the action's service at all?"""


_Indexed = TypeVar("_Indexed")
_INDEX_BOUND = 4096
_NOTHING_COMPILED: Mapping[int, Statement] = {}


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy document under the name by which people know it."""

    name: str
    document: Mapping[str, Any]
    """As stored (and as written: patches and patterns refer to it)."""
    arn: str | None = None
    """Of a managed policy; of a group's inline policy, the group's."""
    statements: tuple[Statement, ...] = field(default=(), compare=False)
    keys: tuple[str, ...] = field(default=(), compare=False)
    """The condition keys (lower case) of all conditions and variables."""
    _index: dict[str, Relevant] = field(default_factory=dict, init=False, repr=False, compare=False)
    _meant: dict[str, tuple[Meant, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def parse(
        cls,
        document: Mapping[str, Any] | str,
        *,
        name: str,
        arn: str | None = None,
        principal: Literal["required", "forbidden"] | None = None,
        compiled: Mapping[int, Statement] = _NOTHING_COMPILED,
    ) -> Policy:
        """Compile a document (mapping, or JSON text, also URL-encoded as IAM returns it).

        `principal`: "required" for resource-based policies, "forbidden" for identity-based ones and SCPs; None does
        not check. `compiled`: statements by the id of their JSON, which need not be compiled again where it stands in
        the document. Raises PolicyError with the place of the first thing that is wrong."""
        document = read_document(document)
        statements = read_statements(document, principal, compiled)
        keys = tuple(dict.fromkeys(key for statement in statements for key in statement.keys))
        return cls(name, document, arn, statements, keys)

    def compiled(self) -> Mapping[int, Statement]:
        """The statements by the id of their JSON, which lives as long as the policy does."""
        written = self.document["Statement"]
        return {id(part): statement for part, statement in zip(listed(written), self.statements, strict=True)}

    @property
    def group(self) -> str | None:
        """ARN of the group that it is embedded in."""
        return self.arn if self.arn is not None and ":group/" in self.arn else None

    @property
    def version(self) -> str | None:
        """The Version as written; None counts as 2008-10-17."""
        version = self.document.get("Version")
        return version if isinstance(version, str) else None

    def relevant(self, action: str) -> Relevant:
        """The statements whose Action or NotAction covers an action (lower case). Looked up once per action."""
        found = self._index.get(action)
        if found is None:
            statements = tuple([statement for statement in self.statements if statement.concerns(action)])
            found = Relevant(
                statements,
                tuple([statement for statement in statements if statement.effect == "Deny"]),
                tuple([statement for statement in statements if statement.effect == "Allow"]),
            )
            _remember(self._index, action, found)
        return found

    def allows(self, action: str) -> tuple[Meant, ...]:
        """Every Allow, with what it has to do with an action (lower case). Looked up once per action."""
        found = self._meant.get(action)
        if found is None:
            allows = [statement for statement in self.statements if statement.effect == "Allow"]
            found = tuple([Meant(item, item.concerns(action), item.is_of_service(action)) for item in allows])
            _remember(self._meant, action, found)
        return found


def _remember(index: dict[str, _Indexed], action: str, found: _Indexed) -> None:
    if len(index) >= _INDEX_BOUND:
        index.clear()
    index[action] = found


@dataclass(frozen=True, slots=True)
class PolicyList:
    """The policies of one layer. `complete` False: there may be others, or more of them, that are not known."""

    policies: tuple[Policy, ...] = ()
    complete: bool = True


NO_POLICIES = PolicyList()
UNKNOWN_POLICIES = PolicyList((), complete=False)
