"""Runs the AWS CLI once for each line of standard input, a JSON list of arguments. Uses the environment of the CLI."""

from __future__ import annotations

import contextlib
import io
import json
import sys

from awscli import clidriver  # type: ignore[import-not-found]


def run(arguments: list[str]) -> dict[str, str]:
    # The CLI writes bytes too, so that io.StringIO will not do.
    kept = [io.BytesIO(), io.BytesIO()]
    out, errors = [io.TextIOWrapper(one, encoding="utf-8", write_through=True) for one in kept]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = clidriver.create_clidriver().main(arguments)
    texts = [one.getvalue().decode() for one in kept]
    return {"error": f"status {status}: {texts}"} if status else {"out": texts[0]}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
