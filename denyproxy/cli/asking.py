"""The questions of `denyproxy explain`: from the options to a call and the policies that bear on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from denyproxy.exchange import DeniedCall
from denyproxy.explain.question import QuestionError, asked
from denyproxy.explain.question_check import question_problem, route_of, stranger_problem
from denyproxy.explain.scenario import ScenarioError
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.s3.spelling import is_known_prefix
from denyproxy.service_model import s3_operations


class Usage(Exception):
    """What is wrong with the command line, or with what it names."""


@dataclass(frozen=True)
class Question:
    """The options of a question, as given."""

    principal: str | None
    named: Mapping[str, str | None]
    """bucket, key, region, operation, action, resource."""
    headers: Sequence[str] = ()
    query: Sequence[str] = ()
    context: Sequence[str] = ()

    @property
    def asked(self) -> bool:
        """Is it a question at all?"""
        return self.principal is not None or any(value is not None for value in self.named.values())

    def request(self) -> dict[str, Any]:
        """The request of a scenario. Raises Usage."""
        named = self.named
        if self.principal is None:
            raise Usage("a question needs --as: an ARN, or anonymous")
        if (named["operation"] is None) == (named["action"] is None):
            raise Usage("a question needs either --operation or --action")
        if (named["action"] is None) != (named["resource"] is None):
            raise Usage("--action and --resource belong together")
        request: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
        pairs = (_pair(item, ":", "--header") for item in self.headers)
        request["headers"] = {name: value.strip() for name, value in pairs}
        request["query"] = dict(_pair(item, "=", "--query") for item in self.query)
        context = (_pair(item, "=", "--context") for item in self.context)
        request["context"] = {name: value or None for name, value in context}
        request = {"region": "us-east-1", **request, "principal": self.principal}
        problem = question_problem(request, s3_operations())
        if problem is not None:
            raise Usage(problem)
        for key in request["context"]:
            if not is_known_prefix(key):
                typer.echo(f"denyproxy explain: --context: {key} is not one of the keys of S3, KMS or AWS", err=True)
        route = route_of(named["operation"], s3_operations()) if named["operation"] is not None else None
        return request if route is None else {**request, "method": route.method}


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    # Condition keys hold colons themselves.
    name, found, value = text.partition(separator)
    if not found or not name:
        raise Usage(f"{option} {text}: not NAME{separator}VALUE")
    return name, value


def call_of(
    request: dict[str, Any], snapshot: PolicySnapshot, directory: Path, now: datetime
) -> tuple[DeniedCall, PolicySnapshot]:
    """The call that is asked about, and the snapshot with what a question takes for granted. Raises Usage."""
    problem = stranger_problem(request["principal"], snapshot)
    if problem is not None:
        raise Usage(f"--as: {directory / 'iam'}: {problem}")
    try:
        return asked(request, snapshot, now)
    except ScenarioError as error:
        raise Usage(str(error)) from None
    except QuestionError as error:
        raise Usage(f"--as: {error}") from None
