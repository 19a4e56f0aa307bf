"""What is wrong with a scenario file, in words: the member, what is wrong there, and what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from denyproxy.explain.scenario_format import Request, ScenarioError
from denyproxy.iam.principal import PrincipalType
from denyproxy.s3.caller import parse_principal
from denyproxy.s3.operation import OPTIONS_PREFLIGHT, POST_OBJECT, WEBSITE_GET, OperationTable
from denyproxy.s3.spelling import did_you_mean, operation_problem, principal_problem


def in_words(problems: Sequence[ErrorDetails], model: type[BaseModel]) -> str:
    """The problem of a document that should be a `model` that says most: a misspelt member rather than the one that is
    therefore missing."""
    problem = next((item for item in problems if item["type"] == "extra_forbidden"), problems[0])
    location = problem["loc"]
    place = ".".join(str(part) for part in location) or "the document"
    if problem["type"] == "extra_forbidden":
        members = sorted(_members(model, location[:-1]))
        return f"{place}: no such member{did_you_mean(str(location[-1]), members) or _known(members)}"
    if problem["type"] == "missing":
        return f"{place}: is missing"
    if problem["type"] in ("model_type", "dict_type"):
        return f"{place}: should be an object"
    message = problem["msg"]
    return f"{place}: {message[:1].lower()}{message[1:]}"


def _known(members: list[str]) -> str:
    return f"; there are {', '.join(members)}" if members else ""


def _members(model: Any, location: tuple[int | str, ...]) -> Iterator[str]:
    """The names of the members of what stands at a place."""
    for step in location:
        if isinstance(step, str) and isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[step].annotation if step in model.model_fields else None
        model = _model_in(model)
    if model is not None:
        yield from model.model_fields


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model in `list[Model] | None` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)


def check_names(request: Request, table: OperationTable) -> None:
    """Are operation and principal such that they can be meant? Raises ScenarioError naming the member."""
    if request.operation is not None:
        known = (*table.operations, POST_OBJECT, OPTIONS_PREFLIGHT, WEBSITE_GET)
        problem = operation_problem(request.operation, known)
        if problem is not None:
            hint = "; give request.action and request.resource instead" if ":" in request.operation else ""
            said = "is an action, not an API operation" if hint else problem
            raise ScenarioError(f"request.operation: {request.operation} {said}{hint}")
    for member, text in (("principal", request.principal), ("principal_role", request.principal_role)):
        if text is not None and parse_principal(text).type is PrincipalType.UNKNOWN:
            problem = principal_problem(text)
            example = "arn:aws:iam::111122223333:user/ben"
            raise ScenarioError(f"request.{member}: {text} {problem}; give it as in {example}")
