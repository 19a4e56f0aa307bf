"""`denyproxy serve`: the proxy itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer
from typer import Option

if TYPE_CHECKING:
    from denyproxy.app import Running
    from denyproxy.settings import Settings


_OPTIONS = {
    "listen": "--listen",
    "workers": "--workers",
    "listen_tls.certificate": "--tls-certificate",
    "listen_tls.key": "--tls-key",
    "upstream.url": "--upstream",
    "upstream.kind": "--upstream-kind",
    "upstream.ca_file": "--ca-file",
    "upstream.verify": "--verify",
    "forward.enabled": "--forward",
    "forward.allowed_hosts": "--allow-host",
    "resign.upstream": "--resign",
    "resign.credentials_file": "--credentials",
    "resign.sign_with": "--sign-with",
    "policies.directory": "--policies",
    "log.destination": "--log",
    "response.message": "--message",
    "disclosure": "--disclosure",
    "console.listen": "--console",
}
"""Setting -> the option that gives it."""


def serve(
    upstream: Annotated[
        Optional[str],  # noqa: UP045 - typer evaluates it
        Option(metavar="URL", help="S3 server to relay to; it has to accept any Host. (upstream.url)"),
    ] = None,
    policies: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="DIR", help="Policy directory. (policies.directory)"),
    ] = None,
    listen: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="HOST:PORT", help="Where to listen; default 127.0.0.1:9090, port 0 for any free one. (listen)"),
    ] = None,
    workers: Annotated[
        Optional[int],  # noqa: UP045
        Option(metavar="N", help="Processes that share the port (Linux); default 1. (workers)"),
    ] = None,
    tls_certificate: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Listen with TLS, with this certificate (PEM). (listen_tls.certificate)"),
    ] = None,
    tls_key: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Its private key; default: in the same file. (listen_tls.key)"),
    ] = None,
    config: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Configuration file (TOML); default: the one that DENYPROXY_CONFIG names."),
    ] = None,
    forward: Annotated[
        Optional[bool],  # noqa: UP045
        Option(
            "--forward/--no-forward",
            help="Be an HTTP forward proxy (HTTP_PROXY) too, which speaks TLS to S3. (forward.enabled)",
        ),
    ] = None,
    allow_host: Annotated[
        Optional[list[str]],  # noqa: UP045
        Option(metavar="HOST", help="Host to forward to, once per host; default: aws. (forward.allowed_hosts)"),
    ] = None,
    resign: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="WHERE", help="Verify and sign again: aws, or the URL of a server. (resign.upstream)"),
    ] = None,
    credentials: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Keys of the clients that may use --resign. (resign.credentials_file)"),
    ] = None,
    sign_with: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="WHOSE", help="client or chain (profile, SSO, role, IMDS); default: client. (resign.sign_with)"),
    ] = None,
    upstream_kind: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="KIND", help="aws, minio, ceph or other; default: guessed from the host. (upstream.kind)"),
    ] = None,
    ca_file: Annotated[
        Optional[Path],  # noqa: UP045
        Option(metavar="FILE", help="Certificate authorities to trust upstream (PEM). (upstream.ca_file)"),
    ] = None,
    verify: Annotated[
        Optional[bool],  # noqa: UP045
        Option("--verify/--no-verify", help="Check the upstream's certificate; default: yes. (upstream.verify)"),
    ] = None,
    message: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="HOW", help="append the explanation to the error's message, or original. (response.message)"),
    ] = None,
    disclosure: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="LEVEL", help="What a denied caller may learn: full, summary, id or auto. (disclosure)"),
    ] = None,
    log: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="FILE", help="Denial log, one JSON object per line; default: - for stdout. (log.destination)"),
    ] = None,
    console: Annotated[
        Optional[str],  # noqa: UP045
        Option(metavar="HOST:PORT", help="Listen there for GET /healthz; default: off. (console.listen)"),
    ] = None,
) -> None:
    """Relay S3 traffic, and explain what is denied.

    Give your SDK the address as its endpoint_url. In brackets: the keys of the configuration file; upstream.url is
    DENYPROXY_UPSTREAM__URL in the environment. The command line wins over the environment, and that over the file.
    """
    from denyproxy.hangup import ignore_hangup

    ignore_hangup()
    from denyproxy.loading import load
    from denyproxy.settings import SettingsError

    given = _nested(
        {
            "upstream.url": upstream,
            "resign.upstream": resign,
            "resign.credentials_file": credentials,
            "resign.sign_with": sign_with,
            "policies.directory": policies,
            "listen": listen,
            "workers": workers,
            "listen_tls.certificate": tls_certificate,
            "listen_tls.key": tls_key,
            "forward.enabled": forward,
            "forward.allowed_hosts": allow_host or None,
            "upstream.kind": upstream_kind,
            "upstream.ca_file": ca_file,
            "upstream.verify": verify,
            "response.message": message,
            "disclosure": disclosure,
            "log.destination": log,
            "console.listen": console,
        }
    )
    try:
        settings = load(given, config=config, options=_OPTIONS)
        _check_policies(settings.policies.directory)

        def announce(running: Running) -> None:
            typer.echo(announcement(settings, running), err=True)

        # A second's worth of imports, once the settings are good.
        if settings.workers == 1:
            from denyproxy.app import run

            run(settings, announce)
        else:
            from denyproxy.supervisor import supervise

            supervise(settings, announce)
    except SettingsError as error:
        for line in str(error).splitlines():
            typer.echo(f"denyproxy: {line}", err=True)
        raise typer.Exit(2) from None


def _check_policies(directory: Path | None) -> None:
    """Is the directory there at the start? One that breaks later stops nothing. Raises SettingsError."""
    from denyproxy.cli.output import reason
    from denyproxy.settings import SettingsError

    try:
        if directory is not None:
            next(directory.iterdir(), None)
    except OSError as error:
        place = f"policies.directory (--policies): {directory}"
        raise SettingsError(f"{place} cannot be read: {reason(error)}; give a policy directory") from None


def announcement(settings: Settings, running: Running) -> str:
    """One line: where it listens, where requests go, with which policies, and what to tell the SDK."""
    address = running.address
    host = "127.0.0.1" if address.host in ("0.0.0.0", "::") else address.host
    scheme = "http" if settings.listen_tls.certificate is None else "https"
    endpoint = f"{scheme}://{type(address)(host=host, port=address.port)}"
    routes = []
    if settings.upstream.url is not None:
        routes.append(f"upstream {settings.upstream.url}")
    if settings.forward.enabled:
        routes.append(f"forwarding to {', '.join(settings.forward.allowed_hosts)}")
    if settings.resign.upstream is not None:
        routes.append(f"signing again for {settings.resign.upstream}")
    direct = settings.upstream.url is not None or settings.resign.upstream is not None
    clients = [f"endpoint_url={endpoint}"] if direct else []
    if settings.forward.enabled:
        clients.append(f"HTTP_PROXY={endpoint} with an http:// endpoint_url")
    console = running.console_address
    told = f"; console: http://{console}/healthz" if console is not None else ""
    known = settings.policies.directory or "none (S3's own messages only)"
    return (
        f"denyproxy listens on {address}; {', '.join(routes)}; policies: {known}; "
        f"give your client {' or '.join(clients)}{told}"
    )


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        if value is None:
            continue
        table, _, member = key.rpartition(".")
        (tree.setdefault(table, {}) if table else tree)[member] = value
    return tree
