"""Policy documents off the disk or the wire: validated, place by place, and compiled statement by statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

from denyproxy.iam.condition import Condition
from denyproxy.iam.principal import Named, PrincipalElement, named
from denyproxy.iam.statement import Statement

_VERSIONS = ("2012-10-17", "2008-10-17")
SUBSTITUTING_VERSION = "2012-10-17"
"""Only in this version are policy variables replaced."""


class PolicyError(ValueError):
    """A document that is not a valid policy. `place` is a path such as `Statement[1].Effect`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.message = message


def read_document(document: Mapping[str, Any] | str) -> Mapping[str, Any]:
    """A policy document, from JSON text too, also URL-encoded as IAM returns it. Its statements are not looked at.

    Raises PolicyError."""
    if isinstance(document, str):
        document = _load(document)
    if not isinstance(document, Mapping):
        raise PolicyError("", f"a policy is a JSON object, not {_kind(document)}")
    _check_members("", document, ("Version", "Id", "Statement"))
    version = document.get("Version")
    if "Version" in document and version not in _VERSIONS:
        raise PolicyError("Version", f"must be one of {', '.join(_VERSIONS)}, not {version!r}")
    if "Id" in document:
        _text("Id", document["Id"])
    return document


def read_statements(
    document: Mapping[str, Any],
    principal: Literal["required", "forbidden"] | None,
    compiled: Mapping[int, Statement],
) -> tuple[Statement, ...]:
    """The statements of a document, compiled but for those that are in `compiled`, by the id of their JSON.

    Raises PolicyError with the place of the first thing that is wrong."""
    substitutes = document.get("Version") == SUBSTITUTING_VERSION
    statements = []
    for index, (place, part) in enumerate(_statements(document)):
        known = compiled.get(id(part)) if compiled else None
        if known is not None and known.substitutes is substitutes:
            statements.append(known.moved(index, place))
        else:
            statements.append(_statement(place, index, part, principal, substitutes=substitutes))
    sids: set[str] = set()
    for statement in statements:
        if statement.sid and statement.sid in sids:
            raise PolicyError(f"{statement.place}.Sid", f"{statement.sid!r} is used twice")
        sids.add(statement.sid or "")
    return tuple(statements)


class _Repeating(dict[str, Any]):
    """A JSON object in which a key stands twice."""

    repeated = ""


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeating = _Repeating(members)
    names = [name for name, _ in pairs]
    repeating.repeated = next(name for name in names if names.count(name) > 1)
    return repeating


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _load(text: str) -> Any:
    """JSON text, or the same URL-encoded (RFC 3986)."""
    if not text.lstrip().startswith(("{", "[", '"')) and "%" in text:
        text = unquote(text)
    try:
        document = json.loads(text, object_pairs_hook=_members, parse_constant=_no_constant)
        _check_repeats("", document)
    except json.JSONDecodeError as error:
        raise PolicyError("", f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except PolicyError:
        raise
    except (ValueError, RecursionError) as error:
        raise PolicyError("", f"not JSON: {error}") from error
    return document


def _check_repeats(place: str, value: Any) -> None:
    if isinstance(value, _Repeating):
        raise PolicyError(_member(place, value.repeated), "stands twice in one object")
    if isinstance(value, dict):
        for name, member in value.items():
            _check_repeats(_member(place, name), member)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _check_repeats(f"{place}[{index}]", member)


def _member(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    return names.get(type(value), "an object" if isinstance(value, Mapping) else "a list")


def _check_members(place: str, value: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in value:
        if name not in known:
            alike = next((right for right in known if right.lower() == str(name).lower()), None)
            hint = f"; did you mean {alike}? Element names are case-sensitive" if alike else ""
            raise PolicyError(_member(place, str(name)), f"is no element of a policy{hint}")


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise PolicyError(place, f"must be a string, not {_kind(value)}")
    return value


def _texts(place: str, value: Any) -> tuple[str, ...]:
    """A string or a non-empty list of strings."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise PolicyError(place, f"must be a string or a list of strings, not {_kind(value)}")
    if not value:
        raise PolicyError(place, "must not be empty")
    return tuple(_text(f"{place}[{index}]", item) for index, item in enumerate(value))


def listed(statement: Any) -> Sequence[Any]:
    """The JSON of statements, of which a single one may stand by itself."""
    return [statement] if isinstance(statement, Mapping) else statement


def _statements(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    if "Statement" not in document:
        raise PolicyError("Statement", "is missing")
    statement = document["Statement"]
    if isinstance(statement, Mapping):
        return [("Statement", statement)]
    if not isinstance(statement, list | tuple):
        raise PolicyError("Statement", f"must be an object or a list of objects, not {_kind(statement)}")
    if not statement:
        raise PolicyError("Statement", "must not be empty")
    return [(f"Statement[{index}]", part) for index, part in enumerate(statement)]


_ELEMENTS = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)


def _statement(
    place: str, index: int, value: Any, principal: Literal["required", "forbidden"] | None, *, substitutes: bool
) -> Statement:
    if not isinstance(value, Mapping):
        raise PolicyError(place, f"must be an object, not {_kind(value)}")
    _check_members(place, value, _ELEMENTS)
    effect = value.get("Effect")
    if effect not in ("Allow", "Deny"):
        problem = "is missing" if "Effect" not in value else f"must be Allow or Deny, not {effect!r}"
        raise PolicyError(f"{place}.Effect", problem)
    action = _one_of(place, value, "Action", "NotAction")
    if action is None:
        raise PolicyError(f"{place}.Action", "is missing")
    resource = _one_of(place, value, "Resource", "NotResource")
    who = _one_of(place, value, "Principal", "NotPrincipal")
    if principal == "required" and who is None:
        raise PolicyError(f"{place}.Principal", "is missing; a resource-based policy says whom it concerns")
    if principal == "forbidden" and who is not None:
        raise PolicyError(f"{place}.{who}", "has no place in a policy of this kind")
    return Statement(
        index=index,
        place=place,
        sid=_text(f"{place}.Sid", value["Sid"]) if "Sid" in value else None,
        effect=effect,
        actions=_texts(f"{place}.{action}", value[action]),
        not_action=action == "NotAction",
        resources=None if resource is None else _texts(f"{place}.{resource}", value[resource]),
        not_resource=resource == "NotResource",
        principal=None if who is None else PrincipalElement(_principals(f"{place}.{who}", value[who])),
        not_principal=who == "NotPrincipal",
        conditions=_conditions(f"{place}.Condition", value.get("Condition", {}), substitutes=substitutes),
        substitutes=substitutes,
    )


def _one_of(place: str, value: Mapping[str, Any], name: str, inverse: str) -> str | None:
    if name in value and inverse in value:
        raise PolicyError(f"{place}.{inverse}", f"cannot stand beside {name}")
    return name if name in value else inverse if inverse in value else None


_PRINCIPALS = ("AWS", "Federated", "Service", "CanonicalUser")


def _principals(place: str, value: Any) -> list[Named]:
    if value == "*":
        return [Named("everyone", "*", bare=True)]
    if not isinstance(value, Mapping):
        raise PolicyError(place, f'must be "*" or an object with {", ".join(_PRINCIPALS)}')
    if not value:
        raise PolicyError(place, "must not be empty")
    _check_members(place, value, _PRINCIPALS)
    return [named(member, text) for member in value for text in _texts(f"{place}.{member}", value[member])]


def _conditions(place: str, value: Any, *, substitutes: bool) -> tuple[Condition, ...]:
    if not isinstance(value, Mapping):
        raise PolicyError(place, f"must be an object, not {_kind(value)}")
    found: list[Condition] = []
    for operator, keys in value.items():
        if not isinstance(keys, Mapping):
            raise PolicyError(f"{place}.{operator}", f"must be an object, not {_kind(keys)}")
        for key, values in keys.items():
            texts = _condition_values(f"{place}.{operator}.{key}", values)
            found.append(Condition(str(operator), str(key), texts, substitutes=substitutes))
    return tuple(found)


def _condition_values(place: str, value: Any) -> tuple[str, ...]:
    """Strings, numbers and booleans, one or a list; an empty list matches nothing."""
    if isinstance(value, list | tuple):
        return tuple(_scalar(f"{place}[{index}]", item) for index, item in enumerate(value))
    return (_scalar(place, value),)


def _scalar(place: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise PolicyError(place, f"must be a string, number or boolean, not {_kind(value)}")
