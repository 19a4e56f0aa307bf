"""`denyproxy explain`: why was this denied, or would it be?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer import Argument, Option

from denyproxy.denylog.lookup import look_up
from denyproxy.exchange import DeniedCall
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.export import scenario_of
from denyproxy.explain.instructions import all_instructions
from denyproxy.explain.model import Explanation, Verdict
from denyproxy.explain.question import QuestionError, asked
from denyproxy.explain.recall import recalled
from denyproxy.explain.record import DenialRecord
from denyproxy.explain.scenario import Scenario, ScenarioError
from denyproxy.explain.text import to_text
from denyproxy.explain.trace import trace
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.service_model import s3_operations


class _Usage(Exception):
    """What is wrong with the command line, or with what it names."""


@dataclass(frozen=True)
class _Answer:
    """What was found out, and about what."""

    explanation: Explanation
    found: Explained | None
    """None: read from a log."""
    scenario: Mapping[str, Any] | None
    """What the patches refer to."""
    title: str | None = None


def explain(
    calls: Annotated[
        Optional[list[str]],  # noqa: UP045 - typer evaluates it
        Argument(
            metavar="FILE|ID",
            help="Scenario files (JSON), - for standard input; with --log, the ids of denials in the log.",
            show_default=False,
        ),
    ] = None,
    log: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Denial log in which to look up ids.", rich_help_panel="Past denials"),
    ] = None,
    policies: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="DIR", help="Policy directory: for questions, and for past denials by the policies of today."),
    ] = None,
    principal: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            "--as",
            metavar="ARN",
            help="Question: who asks; ARN of a user, role, role session or root, a service principal, or anonymous.",
        ),
    ] = None,
    operation: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="Question: the S3 operation, such as PutObject."),
    ] = None,
    bucket: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="NAME", help="Question: the bucket, or the ARN of an access point."),
    ] = None,
    key: Annotated[Optional[str], Option(metavar="KEY", help="Question: the key, not encoded.")] = None,  # noqa: UP045
    header: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="NAME:VALUE", help="Question: a header field of the request. May be repeated."),
    ] = None,
    query: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="NAME=VALUE", help="Question: a query parameter, such as versionId=... May be repeated."),
    ] = None,
    action: Annotated[
        Optional[str],  # noqa: UP045
        Option(
            metavar="ACTION", help="Question: one IAM action of any service, such as s3:GetObject, with --resource."
        ),
    ] = None,
    resource: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="ARN", help="Question: the resource of --action."),
    ] = None,
    region: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="REGION", help="Question: the region of the endpoint; default: us-east-1."),
    ] = None,
    context: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(
            metavar="KEY=VALUE",
            help="Question: a condition key, such as aws:SourceIp=203.0.113.7; KEY= says that it is absent. "
            "May be repeated.",
        ),
    ] = None,
    as_json: Annotated[
        bool, Option("--json", help="One explanation per line, as JSON (schema 1), in the order asked for.")
    ] = False,
    fix: Annotated[
        bool, Option("--fix", help="Also each fix as a diff of the policy, and the aws command that applies it.")
    ] = False,
    tree: Annotated[
        bool, Option("--trace", help="Also a tree of all statements of all layers: which apply, which do not and why.")
    ] = False,
    as_scenario: Annotated[
        bool, Option("--scenario", help="Instead, the call with all policies that bear on it, as a scenario file.")
    ] = False,
) -> None:
    """Explain denied calls: from scenario files, from the log by id, or asked from the command line.

    denyproxy explain FILE...

    denyproxy explain ID --log FILE [--policies DIR]

    denyproxy explain --policies DIR --as ARN --operation PutObject --bucket b --key k --header name:value

    denyproxy explain --policies DIR --as ARN --action s3:GetObject --resource ARN

    A question takes for granted that TLS is used and (unless --context says otherwise) no VPC endpoint, that a role's
    session has no session policy, and that the object is an ordinary one. Any other condition key that does not
    follow from the request, and whatever the policy directory does not tell, is not known.

    Exit status of files and ids: 0 explained, 2 no such denial or not a scenario. Of questions: 0 allowed, 1 denied or
    not known to be allowed, 2 usage.
    """
    named = {"bucket": bucket, "key": key, "region": region, "operation": operation, "action": action}
    named["resource"] = resource
    is_question = principal is not None or any(value is not None for value in named.values())
    try:
        _check(as_json=as_json, fix=fix, tree=tree, as_scenario=as_scenario)
        if is_question:
            if calls or log is not None:
                raise _Usage("a question takes neither files nor --log")
            request = _request(principal, named, header or [], query or [], context or [])
            answers = iter([_question(request, _snapshot(policies))])
        elif log is not None:
            answers = _from_log(calls or [], log, policies)
        elif calls:
            answers = _from_files(calls)
        else:
            raise _Usage("give scenario files, an id with --log, or a question with --as; see --help")
        status = 0
        for number, answer in enumerate(answers):
            if isinstance(answer, str):
                typer.echo(answer, err=True)
                status = 2
                continue
            typer.echo(_shown(answer, number, as_json=as_json, fix=fix, tree=tree, as_scenario=as_scenario), nl=False)
            if is_question and answer.explanation.verdict is not Verdict.ALLOWED:
                status = 1
    except _Usage as error:
        typer.echo(f"denyproxy explain: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def _check(*, as_json: bool, fix: bool, tree: bool, as_scenario: bool) -> None:
    if as_json and (fix or tree or as_scenario):
        raise _Usage("--json stands alone: the patches of all fixes are in it")
    if as_scenario and (fix or tree):
        raise _Usage("--scenario stands alone")


# Where calls come from


def _from_files(paths: list[str]) -> Iterator[_Answer | str]:
    explainer = Explainer(s3_operations())
    for path in paths:
        try:
            text = typer.get_binary_stream("stdin").read() if path == "-" else Path(path).read_bytes()
            document = json.loads(text)
            scenario = Scenario.validate_document(document)
            found = explainer(scenario.denied_call(datetime.now(UTC)), scenario.snapshot(), document)
        except (OSError, ScenarioError) as error:
            yield f"{path}: {error}"
        except ValueError as error:
            yield f"{path}: not JSON: {error}"
        else:
            if found is None:
                typer.echo(f"{path}: the response denies nothing", err=True)
            else:
                yield _Answer(found.explanation, found, document, scenario.title or scenario.id)


def _from_log(ids: list[str], log: Path, policies: Path | None) -> Iterator[_Answer | str]:
    if not ids:
        raise _Usage("--log needs the id of a denial, as in X-Deny-Explanation-Id")
    records = _records(log, ids)
    snapshot = _snapshot(policies) if policies is not None else None
    for wanted in ids:
        record = records.get(wanted)
        if record is None:
            yield f"{log}: no denial has the id {wanted}"
        elif snapshot is not None:
            yield _again(recalled(record), snapshot)
        elif record.scenario is not None:
            scenario = Scenario.validate_document(record.scenario)
            found = Explainer(s3_operations())(scenario.denied_call(record.time), scenario.snapshot(), record.scenario)
            yield _Answer(record, found, record.scenario)
        else:
            yield _Answer(record, None, None)


def _records(log: Path, ids: list[str]) -> Mapping[str, DenialRecord]:
    try:
        found = look_up(log, ids)
    except OSError as error:
        raise _Usage(f"{log}: {error.strerror or error}") from None
    for problem in found.problems:
        typer.echo(f"{log}: {problem}", err=True)
    for identity in sorted(found.shed - found.records.keys()):
        typer.echo(f"{log}: {identity} came in a storm of denials and was shed: nothing but its id is known", err=True)
    return found.records


def _again(call: DeniedCall, snapshot: PolicySnapshot) -> _Answer | str:
    found = Explainer(s3_operations())(call, snapshot)
    if found is None:
        return f"{call.id}: nothing in it was denied"
    return _Answer(found.explanation, found, scenario_of(found.case))


def _snapshot(directory: Path | None) -> PolicySnapshot:
    from denyproxy.policies.directory import load_directory, one_line

    if directory is None:
        raise _Usage("a question needs --policies DIR")
    try:
        snapshot = load_directory(directory)
    except OSError as error:
        raise _Usage(f"{directory}: cannot be read: {error.strerror or error}") from None
    for problem in snapshot.problems:
        typer.echo(f"{directory}: {one_line(problem)}", err=True)
    return snapshot


# Questions


def _request(
    principal: str | None, named: dict[str, str | None], headers: list[str], query: list[str], context: list[str]
) -> dict[str, Any]:
    """The request of a scenario. Raises _Usage."""
    if principal is None:
        raise _Usage("a question needs --as: an ARN, or anonymous")
    if (named["operation"] is None) == (named["action"] is None):
        raise _Usage("a question needs either --operation or --action")
    if (named["action"] is None) != (named["resource"] is None):
        raise _Usage("--action and --resource belong together")
    request: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if named["operation"] is not None:
        request["method"] = _method(named["operation"])
    pairs = (_pair(item, ":", "--header") for item in headers)
    request["headers"] = {name: value.strip() for name, value in pairs}
    request["query"] = dict(_pair(item, "=", "--query") for item in query)
    request["context"] = {name: value or None for name, value in (_pair(item, "=", "--context") for item in context)}
    return {"region": "us-east-1", **request, "principal": principal}


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    # Condition keys hold colons themselves.
    name, found, value = text.partition(separator)
    if not found or not name:
        raise _Usage(f"{option} {text}: not NAME{separator}VALUE")
    return name, value


def _method(operation: str) -> str:
    routes = s3_operations().routes
    for (method, _), rows in routes.items():
        if any(row.operation == operation for row in rows):
            return method
    names = sorted(row.operation for rows in routes.values() for row in rows)
    alike = next((name for name in names if name.lower() == operation.lower()), None)
    hint = f"; did you mean {alike}?" if alike is not None else ""
    raise _Usage(f"--operation {operation}: no such operation of Amazon S3{hint}")


def _question(request: dict[str, Any], snapshot: PolicySnapshot) -> _Answer | str:
    try:
        call, snapshot = asked(request, snapshot, datetime.now(UTC))
    except ScenarioError as error:
        raise _Usage(str(error)) from None
    except QuestionError as error:
        raise _Usage(f"--as: {error}") from None
    return _again(call, snapshot)


# Output


def _shown(answer: _Answer, number: int, *, as_json: bool, fix: bool, tree: bool, as_scenario: bool) -> str:
    if as_json:
        return answer.explanation.to_json() + "\n"
    if as_scenario:
        scenario = answer.scenario if answer.found is None else scenario_of(answer.found.case)
        if scenario is None:
            raise _Usage(_NO_SCENARIO)
        return json.dumps(scenario, indent=2) + "\n"
    parts = [to_text(answer.explanation, answer.title)]
    if tree:
        if answer.found is None:
            raise _Usage(_NO_SCENARIO)
        parts.append(trace(answer.found.case.evidence) + "\n")
    if fix:
        parts.append(_instructions(answer))
    return ("\n" if number else "") + "\n".join(parts)


_NO_SCENARIO = "the policies are not at hand: give --policies DIR (the log keeps them only where log.scenario is set)"


def _instructions(answer: _Answer) -> str:
    fixes = answer.explanation.fixes
    if answer.scenario is None and any(item.patch for item in fixes):
        raise _Usage(_NO_SCENARIO)
    scenario = answer.scenario or {"request": {}, "policies": {}}
    return all_instructions(fixes, scenario, answer.explanation.policies.revision)
