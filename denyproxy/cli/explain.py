"""`denyproxy explain`: why was this denied, or would it be?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from denyproxy.explain.explainer import Explainer
from denyproxy.explain.scenario import Scenario, ScenarioError
from denyproxy.explain.text import to_text
from denyproxy.service_model import s3_operations


def explain(
    files: Annotated[list[Path], typer.Argument(help="Scenario files (JSON); - is standard input.", metavar="FILE...")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One explanation per line, as JSON (schema 1), in the order of the files.")
    ] = False,
) -> None:
    """Explain denied calls from scenario files. Exit status: 0 explained, 2 a file is not a scenario."""
    explainer = Explainer(s3_operations())
    failed = False
    for number, path in enumerate(files):
        try:
            scenario = Scenario.parse(
                typer.get_binary_stream("stdin").read() if str(path) == "-" else path.read_bytes()
            )
            explained = explainer(scenario.denied_call(datetime.now(UTC)), scenario.snapshot())
        except (OSError, ScenarioError) as error:
            typer.echo(f"{path}: {error}", err=True)
            failed = True
            continue
        if explained is None:
            typer.echo(f"{path}: the response denies nothing", err=True)
            continue
        if as_json:
            typer.echo(explained.explanation.to_json())
        else:
            typer.echo(
                ("\n" if number else "") + to_text(explained.explanation, scenario.title or scenario.id), nl=False
            )
    if failed:
        raise typer.Exit(2)
