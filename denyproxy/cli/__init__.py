"""The command line: one module per command, imported only when that command runs."""

from __future__ import annotations

import typer

from denyproxy import __version__
from denyproxy.cli import serve

app = typer.Typer(
    name="denyproxy",
    help="A local S3-compatible proxy that explains Access Denied.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
serve.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"denyproxy {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    """A local S3-compatible proxy that explains Access Denied."""


def main() -> None:
    """Run the command line."""
    app()
