"""`denyproxy credentials`: key pairs for the clients of the resign mode."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Optional

import typer

from denyproxy.cli.output import reason

_NEW = "new"


def credentials(
    action: Annotated[str, typer.Argument(metavar="new", help="new: make a key pair.")],
    principal: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        typer.Option(metavar="ARN", help="Of whom the key stands for, as explanations name the client."),
    ] = None,
    file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Credentials file to add it to (made with mode 0600 if it is not there)."),
    ] = None,
) -> None:
    """Make a key pair that only denyproxy knows: no real secret need be given to the application.

    It is good for the resign mode alone (resign.credentials_file), which signs with credentials of its own. Without
    --file the lines for that file are printed, those for the application after them as comments.
    """
    if action != _NEW:
        typer.echo(f"denyproxy: credentials: there is no {action!r}, only {_NEW}", err=True)
        raise typer.Exit(2)
    if principal is not None and not (principal.startswith("arn:") and principal.count(":") >= 5):
        typer.echo(f"denyproxy: --principal: {principal!r} is no ARN", err=True)
        raise typer.Exit(2)
    key_id, secret = new_pair()
    entry = f"[{key_id}]\nsecret = {json.dumps(secret)}\n"
    if principal is not None:
        entry += f"principal = {json.dumps(principal)}\n"
    application = f"AWS_ACCESS_KEY_ID={key_id}\nAWS_SECRET_ACCESS_KEY={secret}"
    if file is None:
        typer.echo("# For the file that resign.credentials_file names (chmod 600):")
        typer.echo(entry)
        typer.echo("# For the application:\n# " + application.replace("\n", "\n# "))
        return
    _check(file)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as out:
            out.write(("\n" if out.tell() else "") + entry)
    except OSError as error:
        typer.echo(f"denyproxy: --file: {file} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    typer.echo(application)


def _check(file: Path) -> None:
    """Can a table be added to it? Repeats nothing of what it holds."""
    try:
        tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is not text"
        typer.echo(f"denyproxy: --file: {file} cannot be read: {why}", err=True)
        raise typer.Exit(2) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"line {line[1]}" if line is not None else "its end"
        typer.echo(f"denyproxy: --file: {file}: {place}: not TOML; correct it, or give another file", err=True)
        raise typer.Exit(2) from None


def new_pair() -> tuple[str, str]:
    """Access key id and secret access key, of the length that AWS's have."""
    return "DENY" + base64.b32encode(secrets.token_bytes(10)).decode(), secrets.token_urlsafe(30)
