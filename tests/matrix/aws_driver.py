"""Runs the AWS CLI once for each line of standard input, a JSON list of arguments. Uses the environment of the CLI."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from awscli import clidriver  # type: ignore[import-not-found]


def run(arguments: list[str]) -> dict[str, str]:
    out, errors = io.BytesIO(), io.BytesIO()
    with contextlib.redirect_stdout(_text(out)), contextlib.redirect_stderr(_text(errors)):
        status = clidriver.create_clidriver().main(arguments)
    if status:
        return {"error": f"status {status}: {out.getvalue().decode()}{errors.getvalue().decode()}"}
    return {"out": out.getvalue().decode()}


def _text(file: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8", write_through=True)


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
