"""`denyproxy demo`: an S3 server, users who are denied, and denyproxy that says why."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def demo(
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave it running, and print endpoint and credentials to play with.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(help="Keep policies, configuration and denial log here.", metavar="DIR", show_default="temporary"),
    ] = None,
) -> None:
    """Start an enforcing S3 server (MiniStack), create users, a role and buckets, and send requests through denyproxy.

    Everything listens on loopback only and ends with the demo. DENYPROXY_MINISTACK names an installed `ministack`;
    otherwise it is installed with pip, once, below ~/.cache/denyproxy or in DENYPROXY_MINISTACK_VENV.
    Exit status: 0 all explained as expected, 1 not, 2 it could not be run.
    """
    try:
        from denyproxy.demo.backend import BackendMissing
        from denyproxy.demo.leash import ServerFailed
        from denyproxy.demo.run import DirectoryUnusable
        from denyproxy.demo.run import demo as play
    except ModuleNotFoundError as missing:
        typer.echo(f"The demo needs {missing.name}: pip install 'denyproxy[demo]'", err=True)
        raise typer.Exit(2) from None
    # A shell starts background jobs with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        failed = play(_console(), serve=serve, directory=directory)
    except (BackendMissing, ServerFailed, DirectoryUnusable) as error:
        typer.echo(f"denyproxy demo: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(0 if serve else 130) from None
    raise typer.Exit(1 if failed else 0)


def _console() -> Console:
    """As wide as the terminal, but at most 80 columns."""
    console = Console(highlight=False)
    console.width = min(console.width, 80)
    return console
