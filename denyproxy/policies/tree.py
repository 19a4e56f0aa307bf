"""A JSON file as a tree whose values know their place, so that whatever is wrong is reported where it stands.

Three ways for a value to be missing, kept apart everywhere: UNKNOWN (not there, or unusable and reported), None
(null, or an empty file: there is none), and the value itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, NoReturn, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from denyproxy.iam.document import UNKNOWN_POLICIES, Policy, PolicyList
from denyproxy.iam.parsing import PolicyError
from denyproxy.iam.truth import UNKNOWN, Unknown
from denyproxy.s3.snapshot import PolicyProblem

T = TypeVar("T")
Fact = TypeVar("Fact")
PrincipalRule = Literal["required", "forbidden"] | None
"""Whether a policy of this kind has Principal elements. None: either way."""

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Documents:
    """Compiles a policy document once, however many principals carry it."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str, str | None, bool, PrincipalRule], Policy | PolicyError] = {}

    def compile(
        self, document: Mapping[str, Any] | str, *, name: str, arn: str | None = None, principal: PrincipalRule = None
    ) -> Policy:
        """The policy of a document, as Policy.parse. Raises PolicyError."""
        is_text = isinstance(document, str)
        try:
            key = (document if isinstance(document, str) else json.dumps(document), name, arn, is_text, principal)
            found = self._compiled.get(key)
            if found is None:
                found = self._compiled[key] = Policy.parse(document, name=name, arn=arn, principal=principal)
        except PolicyError as error:
            found = self._compiled[key] = error
        except RecursionError:
            raise PolicyError("", "nested too deeply") from None
        if isinstance(found, PolicyError):
            raise PolicyError(found.place, found.message)
        return found


@dataclass(slots=True)
class Report:
    """What is wrong with one file, in the order in which it was found; each thing once."""

    file: str
    remedy: str
    """What to do about a broken file, such as the command that writes a good one."""
    documents: Documents
    broken: bool = False
    """Something in the file cannot be used."""
    _found: dict[PolicyProblem, None] = field(default_factory=dict)

    @property
    def problems(self) -> tuple[PolicyProblem, ...]:
        """All that was reported."""
        return tuple(self._found)

    def error(self, place: str, message: str) -> None:
        """Report what cannot be used."""
        self.broken = True
        self.notice(place, f"{message}; {self.remedy}")

    def notice(self, place: str, message: str) -> None:
        """Report what is usable but leaves a gap."""
        self._found[PolicyProblem(self.file, place, message)] = None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file. `value` UNKNOWN: not there; None: null, or anywhere in an empty file."""

    value: Any
    place: str
    report: Report

    def __contains__(self, name: str) -> bool:
        """Is it an object with that member?"""
        return isinstance(self.value, dict) and name in self.value

    def member(self, name: str) -> Node:
        """A member of an object."""
        value = self.value
        if isinstance(value, dict):
            value = value.get(name, UNKNOWN)
        elif value is not None and value is not UNKNOWN:
            self.error("should be an object")
            value = UNKNOWN
        return Node(value, join(self.place, name), self.report)

    def items(self) -> tuple[tuple[Node, ...], bool]:
        """The elements of an array, and whether these are all that there are: not if the array is not there."""
        if self.value is None:
            return (), True
        if isinstance(self.value, list):
            return tuple(Node(item, f"{self.place}[{at}]", self.report) for at, item in enumerate(self.value)), True
        if self.value is not UNKNOWN:
            self.error("should be an array")
        return (), False

    def members(self) -> Iterator[tuple[str, Node]]:
        """Name and value of each member of an object."""
        if isinstance(self.value, dict):
            for name in self.value:
                yield name, self.member(name)
        elif self.value is not None and self.value is not UNKNOWN:
            self.error("should be an object")

    def read(self, shape: type[T]) -> T | None | Unknown:
        """The value in a shape (a pydantic model or a type). What does not fit is reported, and UNKNOWN."""
        if self.value is None or self.value is UNKNOWN:
            return None if self.value is None else UNKNOWN
        try:
            value: T = _adapter(cast(Hashable, shape)).validate_python(self.value, strict=True)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                self.report.error(join(self.place, *detail["loc"]), _plain(detail["msg"]))
            return UNKNOWN
        return value

    def answer(self, name: str, wrapper: str) -> Node:
        """A member, whether it stands under its own name, in the answer that wraps it, or both."""
        node = self.member(name)
        if node.value is UNKNOWN:
            node = self
        return node.member(wrapper) if wrapper in node or node is self else node

    def policy(self, name: str, arn: str | None = None, principal: PrincipalRule = None) -> Policy | None | Unknown:
        """The value as a policy document under a name. The empty string is none, like null."""
        if self.value is None or self.value == "":
            return None
        if not isinstance(self.value, dict | str):
            if self.value is not UNKNOWN:
                self.error("should be a policy document, as an object or as JSON text")
            return UNKNOWN
        try:
            return self.report.documents.compile(self.value, name=name, arn=arn, principal=principal)
        except PolicyError as error:
            place = f"{self.place}.{error.place}".strip(".")
            self.report.error(place, f"not a valid policy: {error.message}")
            return UNKNOWN

    def policies(self, name: str, arn: str | None = None, principal: PrincipalRule = None) -> PolicyList:
        """The value as a layer that holds at most one policy."""
        policy = self.policy(name, arn, principal)
        if policy is UNKNOWN:
            return UNKNOWN_POLICIES
        return PolicyList() if policy is None else PolicyList((policy,))

    def error(self, message: str) -> None:
        """Report that this value cannot be used."""
        self.report.error(self.place, message)


def parse(content: bytes, report: Report) -> Node | None:
    """The root of a file; None if it is not JSON, which is reported. White space alone is null.

    Files in UTF-16, as PowerShell writes them, and byte order marks are read as well."""
    repeated: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        names = [name for name, _ in pairs]
        repeated.append(next(name for at, name in enumerate(names) if name in names[:at]))
        return _Repeated(members, repeated[-1])

    try:
        text = content.decode(json.detect_encoding(content))
        value = json.loads(text, object_pairs_hook=build, parse_constant=_refuse) if text.strip() else None
        if not repeated:
            return Node(value, "", report)
        place = next(_repeated(value, ""))
        report.error(place, "occurs twice in one object, so that it is not clear which one counts")
    except json.JSONDecodeError as error:
        report.error(f"line {error.lineno}, column {error.colno}", f"not JSON: {_plain(error.msg)}")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.error(f"line {line}", f"not JSON: byte 0x{error.object[error.start]:02x} is not {error.encoding} text")
    except RecursionError:
        report.error("", "not usable: nested too deeply")
    except ValueError as error:
        report.error("", f"not JSON: {_plain(str(error))}")
    return None


def join(place: str, *steps: str | int) -> str:
    """A place further down: `UserDetailList[2].Tags`. Names that are not plain are quoted: `["a b"]`."""
    for step in steps:
        if isinstance(step, int):
            place += f"[{step}]"
        elif _PLAIN_NAME.fullmatch(step):
            place += f".{step}" if place else step
        else:
            place += f"[{json.dumps(step)}]"
    return place


def told(answer: T | None | Unknown, none: Fact, some: Callable[[T], Fact | Unknown]) -> Fact | Unknown:
    """The fact that an answer tells: `some` of it, `none` if there is none; UNKNOWN if the answer is."""
    if answer is None or answer is UNKNOWN:
        return none if answer is None else UNKNOWN
    return some(answer)


class _Repeated(dict[str, Any]):
    """An object that names a member twice."""

    def __init__(self, members: dict[str, Any], name: str) -> None:
        super().__init__(members)
        self.name = name


def _repeated(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, _Repeated):
        yield join(place, value.name)
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _repeated(member, join(place, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _repeated(item, f"{place}[{at}]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]


@cache
def _adapter(shape: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, shape))
