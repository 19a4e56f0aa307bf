"""The screen of the demo: plain words in 80 columns, with colour only where there is a terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from denyproxy.demo.cases import Answer, Case, Cause
from denyproxy.demo.clients import Credentials
from denyproxy.demo.front import Front
from denyproxy.demo.world import World

Record = Mapping[str, Any]

LABEL_WIDTH = 11


def differences(expected: Cause, record: Record | None) -> list[str]:
    """What an explanation's cause says that it should not, in words; empty: it is the expected one."""
    if record is None:
        return ["there is no denial record"]
    cause = record.get("cause")
    if cause is None:
        return [f"no cause was named (verdict {record['verdict']})"]
    return [
        f"{name}: {cause.get(name) or 'none'}, expected {wanted or 'none'}"
        for name, wanted in asdict(expected).items()
        if cause.get(name) != wanted
    ]


def request(console: Console, number: int, case: Case) -> None:
    """What is about to be sent, and by whom."""
    _rule(console, f"{number}. {case.title}")
    bucket, key = case.parameters["Bucket"], case.parameters.get("Key") or case.parameters.get("Prefix", "")
    how = " by presigned URL" if case.presigned else ""
    _row(console, "request", f"{case.api_name} s3://{bucket}/{key} as {case.who}{how}")


def success(console: Console, answer: Answer) -> None:
    """A request that went through."""
    _row(console, "S3", f"{answer.status}, relayed untouched", "green" if answer.status < 300 else "red")


def denial(console: Console, answer: Answer, record: Record | None) -> None:
    """What S3 said, and what denyproxy says."""
    upstream = (record or {}).get("upstream", {})
    message = upstream.get("message") or ("(no message)" if answer.code else "(a HEAD has no body)")
    _row(console, "S3", f"{answer.status} {upstream.get('code') or answer.code or ''} {message}".replace("  ", " "))
    _row(console, "denyproxy", answer.headers.get("x-deny-explanation", "(no X-Deny-Explanation header)"), "bold")
    cause = (record or {}).get("cause")
    if cause:
        words = (cause["layer"], cause["effect"], cause["policy"], cause["statement"], cause["element"])
        _row(console, "cause", " > ".join(word for word in words if word), "cyan")


def verdict(console: Console, problems: list[str]) -> None:
    """Whether the case went as the demo says."""
    for problem in problems:
        _row(console, "UNEXPECTED", problem, "bold red")


def summary(console: Console, denied: int, failed: int) -> None:
    """The count at the end."""
    _rule(console, "Result")
    if failed:
        console.print(Text(f"{failed} of the requests did not go as they should.", style="bold red"))
    else:
        console.print(Text(f"{denied} denials, each explained by its true cause.", style="bold green"))


def next_steps(console: Console, front: Front, kept: bool) -> None:
    """Where to look next."""
    steps = [
        (f"{program()} demo --serve", "leaves it running, with endpoint and credentials to play with"),
        (f"{program()} serve --help", "your own S3: --upstream URL --policies DIRECTORY"),
        (f"{program()} explain FILE", "explains a denial that was written down as a scenario"),
    ]
    if kept:
        steps.insert(0, (str(front.log.parent), "the policy directory, the configuration and the denial log"))
    console.print()
    for what, why in steps:
        console.print(Text(f"  {what}", style="bold"))
        console.print(Text(f"      {why}"))


def playground(console: Console, world: World, front: Front) -> None:
    """Endpoint and credentials of a world that is left running."""
    _rule(console, "It is running; Ctrl-C ends it")
    for what, value in (
        ("endpoint", front.endpoint),
        ("directly", world.backend.endpoint),
        ("policies", str(front.log.parent / "policies")),
        ("denial log", str(front.log)),
    ):
        _row(console, what, value)
    console.print()
    for name, who in world.people.items():
        console.print(Text(f"# {name}", style="bold"))
        for line in environment(who):
            console.print(Text(line), soft_wrap=True)
    console.print()
    console.print(Text("Paste Ben's, who may read photos but not upload any. So this is denied:"))
    s3api = f"aws --region us-east-1 --endpoint-url {front.endpoint} s3api"
    console.print(Text(f"{s3api} put-object --bucket holiday-photos --key mine.jpg", style="bold"), soft_wrap=True)
    console.print(Text("The error names an id; with it, what can be done about it:"))
    policies = front.log.parent / "policies"
    command = f"{program()} explain ID --log {front.log} --policies {policies} --fix"
    console.print(Text(command, style="bold"), soft_wrap=True)


def environment(who: Credentials) -> tuple[str, ...]:
    """What makes a shell theirs, whoever's it was before."""
    line = f"export AWS_ACCESS_KEY_ID={who.access_key_id} AWS_SECRET_ACCESS_KEY={who.secret_access_key}"
    if who.session_token:
        return (f"{line} AWS_SESSION_TOKEN={who.session_token}",)
    return ("unset AWS_SESSION_TOKEN", line)


def program() -> str:
    """How this program is called: by its path where it is not on PATH, as after `make demo`."""
    called = sys.argv[0]
    on_path = shutil.which("denyproxy") is not None
    return called if Path(called).name == "denyproxy" and not on_path else "denyproxy"


def _row(console: Console, label: str, text: str, style: str = "") -> None:
    lines = textwrap.wrap(text, console.width - LABEL_WIDTH, break_on_hyphens=False) or [""]
    for line in lines:
        console.print(Text.assemble((f"{label:{LABEL_WIDTH}}", "dim"), (line, style)))
        label = ""


def _rule(console: Console, title: str) -> None:
    console.print()
    console.print(Text(f"-- {title} ".ljust(console.width, "-"), style="bold"))
