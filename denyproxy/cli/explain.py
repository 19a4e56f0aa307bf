"""`denyproxy explain`: why was this denied, or would it be?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Optional

import typer
from typer import Argument, Option

from denyproxy.cli.asking import Question, Usage, call_of
from denyproxy.cli.output import reason, say
from denyproxy.cli.past import NO_SCENARIO, as_of_then, fixes_of_request, records, title
from denyproxy.exchange import DeniedCall
from denyproxy.explain.explainer import Explained, Explainer
from denyproxy.explain.export import scenario_of
from denyproxy.explain.instructions import all_instructions
from denyproxy.explain.model import Explanation, Verdict
from denyproxy.explain.recall import recalled
from denyproxy.explain.record import DenialRecord
from denyproxy.explain.scenario import Scenario, ScenarioError
from denyproxy.explain.scenario_check import check_names
from denyproxy.explain.text import printable, to_text
from denyproxy.explain.trace import trace
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.service_model import s3_operations


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
    session has no session policy, and that an object (of a copy: its source too) is an ordinary one: it is there, in
    S3 Standard and so not archived, not locked, belongs to the owner of its bucket, has no ACL grants to others, no
    tags (unless --context says otherwise), and is encrypted as its bucket does by default. Any other condition key
    that does not follow from the request, and whatever the policy directory does not tell, is not known; the answer
    then names what would decide. The resource policies of services other than S3 and KMS are never known.

    Exit status of files and ids: 0 explained, 2 no such denial or not a scenario. Of questions: 0 allowed, 1 denied or
    not known to be allowed, 2 usage.
    """
    named = {"bucket": bucket, "key": key, "region": region, "operation": operation, "action": action}
    question = Question(principal, {**named, "resource": resource}, header or (), query or (), context or ())
    try:
        _check(as_json=as_json, fix=fix, tree=tree, as_scenario=as_scenario)
        if question.asked:
            if calls or log is not None:
                raise Usage("a question takes neither files nor --log")
            answers = iter([_question(question, policies)])
        elif log is not None:
            answers = _from_log(calls or [], log, policies)
        elif calls:
            answers = _from_files(calls)
        else:
            raise Usage("give scenario files, an id with --log, or a question with --as; see --help")
        status = 0
        for number, answer in enumerate(answers):
            if isinstance(answer, str):
                typer.echo(f"denyproxy explain: {answer}", err=True)
                status = 2
                continue
            say(_shown(answer, number, as_json=as_json, fix=fix, tree=tree, as_scenario=as_scenario), nl=False)
            if question.asked and answer.explanation.verdict is not Verdict.ALLOWED:
                status = 1
    except Usage as error:
        typer.echo(f"denyproxy explain: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(status)


def _check(*, as_json: bool, fix: bool, tree: bool, as_scenario: bool) -> None:
    if as_json and tree:
        raise Usage("--trace is text only: leave out --json")
    if as_json and fix:
        raise Usage("--json has the patches of all fixes in it: leave out --fix")
    if as_scenario and (as_json or fix or tree):
        raise Usage("--scenario stands alone")


# Where calls come from


def _from_files(paths: list[str]) -> Iterator[_Answer | str]:
    explainer = Explainer(s3_operations())
    for path in paths:
        try:
            text = typer.get_binary_stream("stdin").read() if path == "-" else Path(path).read_bytes()
            document = json.loads(text)
            scenario = Scenario.validate_document(document)
            check_names(scenario.request, s3_operations())
            found = explainer(scenario.denied_call(datetime.now(UTC)), scenario.snapshot(), document)
        except FileNotFoundError:
            yield f"{path}: no such file; to look up the id of a denial give --log FILE"
        except OSError as error:
            yield f"{path}: {reason(error)}"
        except ScenarioError as error:
            yield f"{path}: {error}"
        except ValueError as error:
            yield f"{path}: not JSON: {error}"
        else:
            if found is None:
                typer.echo(f"denyproxy explain: {path}: the response denies nothing", err=True)
            else:
                yield _Answer(found.explanation, found, document, scenario.title or scenario.id)


def _from_log(ids: list[str], log: Path, policies: Path | None) -> Iterator[_Answer | str]:
    if not ids:
        raise Usage("--log needs the id of a denial, as in X-Deny-Explanation-Id")
    found = records(log, ids)
    snapshot = _snapshot(policies) if policies is not None else None
    for wanted in ids:
        record = found.get(wanted)
        if record is None:
            yield f"{log}: no denial has the id {wanted}"
            continue
        heading = title(record, policies)
        if snapshot is not None:
            answer = _explained(recalled(record), snapshot)
            if isinstance(answer, _Answer):
                answer = replace(answer, explanation=as_of_then(answer.explanation, record), title=heading)
            yield answer
        elif record.scenario is not None:
            scenario = Scenario.validate_document(record.scenario)
            again = Explainer(s3_operations())(scenario.denied_call(record.time), scenario.snapshot(), record.scenario)
            yield _Answer(record, again, record.scenario, heading)
        else:
            yield _Answer(record, None, None, heading)


def _question(question: Question, policies: Path | None) -> _Answer | str:
    if policies is None:
        raise Usage("a question needs --policies DIR")
    request = question.request()
    return _explained(*call_of(request, _snapshot(policies), policies, datetime.now(UTC)))


def _explained(call: DeniedCall, snapshot: PolicySnapshot) -> _Answer | str:
    found = Explainer(s3_operations())(call, snapshot)
    if found is None:
        return f"{call.id}: nothing in it was denied"
    return _Answer(found.explanation, found, scenario_of(found.case))


def _snapshot(directory: Path) -> PolicySnapshot:
    from denyproxy.policies.directory import holds_nothing, load_directory, one_line

    try:
        snapshot = load_directory(directory)
    except OSError as error:
        raise Usage(f"--policies: {directory}: cannot be read: {reason(error)}") from None
    nothing = holds_nothing(snapshot)
    if nothing is not None:
        typer.echo(f"denyproxy explain: {directory}: {nothing}", err=True)
    for problem in snapshot.problems:
        typer.echo(f"denyproxy explain: {directory}: {one_line(problem)}", err=True)
    return snapshot


# Output


def _shown(answer: _Answer, number: int, *, as_json: bool, fix: bool, tree: bool, as_scenario: bool) -> str:
    if as_json:
        return answer.explanation.to_json() + "\n"
    if as_scenario:
        scenario = answer.scenario if answer.found is None else scenario_of(answer.found.case)
        if scenario is None:
            raise Usage(NO_SCENARIO)
        return json.dumps(scenario, indent=2) + "\n"
    parts = [to_text(answer.explanation, answer.title)]
    if tree:
        if answer.found is None:
            raise Usage(NO_SCENARIO)
        parts.append(trace(answer.found.case.evidence) + "\n")
    if fix:
        parts.append(_instructions(answer))
    return ("\n" if number else "") + printable("\n".join(parts))


def _instructions(answer: _Answer) -> str:
    fixes = answer.explanation.fixes
    if answer.scenario is None and isinstance(answer.explanation, DenialRecord):
        return fixes_of_request(answer.explanation)
    if answer.scenario is None and any(item.patch for item in fixes):
        raise Usage(NO_SCENARIO)
    scenario = answer.scenario or {"request": {}, "policies": {}}
    return all_instructions(fixes, scenario, answer.explanation.policies.revision)
