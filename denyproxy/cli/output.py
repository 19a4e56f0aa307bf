"""What commands print, and what they say when it cannot be printed or a file cannot be read."""

from __future__ import annotations

import os
import sys

import typer


def say(text: str, *, nl: bool = True) -> None:
    """Print on standard output, at once. Exit 2 with one line where that cannot be written (a full disk)."""
    try:
        typer.echo(text, nl=nl)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        typer.echo(f"denyproxy: standard output cannot be written: {reason(error)}", err=True)
        # What is left in the buffer would fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(2) from None


def reason(error: OSError) -> str:
    """Why, in words: `no such file or directory`."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
