"""The command line: one module per command, imported only when that command runs."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from denyproxy import __version__

_COMMANDS = {
    "serve": "Relay S3 traffic, and explain what is denied.",
    "explain": "Explain denied calls: from scenario files, from the log, or asked from the command line.",
    "policies": "Read a policy directory and say what is wrong with it.",
    "credentials": "Make key pairs for the clients of the resign mode.",
    "demo": "Play with users who are denied, on a local S3 server.",
}
"""Name of a command, and of the module and the function that are it -> what it does."""


class _Commands(TyperGroup):
    """Commands that are imported when they are asked for: `denyproxy --help` loads none of them.

    Recent typer carries its own copy of click, so that click's types are not there to be named."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"denyproxy.cli.{cmd_name}")
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        single.command(cmd_name)(getattr(module, cmd_name))
        return typer.main.get_command(single)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


app = typer.Typer(
    name="denyproxy",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


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
