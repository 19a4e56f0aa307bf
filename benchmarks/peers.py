"""What `bench_relay` compares: an nginx as upstream, and the proxies in front of it, one process tree each.

Everything listens on loopback, on a free port, with its files in a directory that the caller removes.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from denyproxy.demo import backend
from denyproxy.demo.leash import free_port

ROOT = Path(__file__).parent.parent
PEER_VARIABLE = "DENYPROXY_BENCH_PEER"
"""Environment variable: a command with {listen} (HOST:PORT) and {upstream} (a URL), another proxy to compare."""
KiB, MiB = 1 << 10, 1 << 20
OBJECTS = {"1k": KiB, "1m": MiB, "64m": 64 * MiB}
"""File in the upstream's /get -> its size."""
MITMPROXY = "mitmproxy>=10"
ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
"""With these the load signs."""


class Unavailable(Exception):
    """A program is not there, or did not start; the message says why."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    name: str
    port: int
    pid: int
    """Of the root of its process tree."""

    @property
    def url(self) -> str:
        """Without a path."""
        return f"http://127.0.0.1:{self.port}"


Command = Callable[[int, str, Path], list[str]]
"""(port, URL of the upstream, directory) -> what to run."""


def program(name: str) -> str:
    """The path of a program. Raises Unavailable."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise Unavailable(f"{name} is not installed (apt-get install {name})")
    return path


@contextlib.contextmanager
def started(name: str, command: Command, upstream: str, directory: Path) -> Iterator[Running]:
    """Run a server until the block ends. Raises Unavailable."""
    home, port = directory / name, free_port()
    home.mkdir()
    log = home / "output.log"
    argv = command(port, upstream, home)
    # PEER_VARIABLE is no setting of denyproxy, and a setting of the caller's would be measured too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DENYPROXY_")}
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=ROOT, env=environment
        )
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if child.poll() is not None or time.monotonic() > deadline:
                lines = log.read_text(errors="replace").strip().splitlines()
                raise Unavailable(f"{name} did not start: {lines[-1] if lines else 'no output'}")
            time.sleep(0.02)
        yield Running(name, port, child.pid)
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


# `user` is for root alone; others are told that it is ignored.
_NGINX = """
user root;
worker_processes {workers};
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 300;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    default_type application/octet-stream;
    {rest}
}}
"""

_UPSTREAM = """
    open_file_cache max=100;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {home}/objects;
        location /put/ {{ dav_methods PUT; }}
        location / {{ }}
    }}
"""

# Small bodies are buffered and large ones streamed, with buffers that were the fastest of those tried.
_REVERSE = """
    upstream s3 {{
        server {upstream};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 300;
    }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_buffers 16 64k;
    proxy_buffer_size 64k;
    proxy_busy_buffers_size 256k;
    proxy_max_temp_file_size 0;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{ proxy_pass http://s3; }}
        location ~ 64m {{ proxy_request_buffering off; proxy_pass http://s3; }}
    }}
"""

_HAPROXY = """
global
    nbthread {workers}
    maxconn 4096
    tune.bufsize 65536
defaults
    mode http
    timeout connect 10s
    timeout client 300s
    timeout server 300s
    option http-keep-alive
    option splice-auto
    http-reuse always
frontend clients
    bind 127.0.0.1:{port}
    default_backend s3
backend s3
    server s3 {upstream}
"""


def _address(url: str) -> str:
    return url.removeprefix("http://")


def nginx(home: Path, rest: str, workers: int) -> list[str]:
    """How to start an nginx with this in its `http` block."""
    file = home / "nginx.conf"
    file.write_text(_NGINX.format(home=home, rest=rest, workers=workers))
    return [program("nginx"), "-p", str(home), "-e", str(home / "error.log"), "-c", str(file)]


def upstream(port: int, url: str, home: Path) -> list[str]:
    """An nginx that has OBJECTS in /get and takes any object into /put."""
    for name, size in OBJECTS.items():
        file = home / "objects" / "get" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(64 * KiB) * (size // (64 * KiB)) if size >= 64 * KiB else os.urandom(size))
    (home / "objects" / "put").mkdir()
    return nginx(home, _UPSTREAM.format(port=port, home=home), 1)


def _nginx_reverse(port: int, url: str, home: Path) -> list[str]:
    return nginx(home, _REVERSE.format(port=port, upstream=_address(url)), 1)


def _haproxy(port: int, url: str, home: Path) -> list[str]:
    file = home / "haproxy.cfg"
    file.write_text(_HAPROXY.format(port=port, upstream=_address(url), workers=1))
    return [program("haproxy"), "-q", "-db", "-f", str(file)]


def _mitmproxy(port: int, url: str, home: Path) -> list[str]:
    found = shutil.which("mitmdump")
    try:
        found = found or str(backend.install(MITMPROXY, ROOT / ".venv-mitmproxy", _say) / "mitmdump")
    except backend.BackendMissing as missing:
        raise Unavailable(str(missing)) from None
    options = {"stream_large_bodies": "1m", "keep_host_header": "true", "confdir": home, "flow_detail": 0}
    settings = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    return [found, "--quiet", "--mode", f"reverse:{url}", "--listen-host", "127.0.0.1", "-p", str(port), *settings]


def _say(text: str) -> None:
    print(text, flush=True)


def _denyproxy(module: str, **environment: str) -> Command:
    def command(port: int, url: str, home: Path) -> list[str]:
        given = [f"{name}={value}" for name, value in environment.items()]
        argv = [sys.executable, "-m", *shlex.split(module), "serve", "--upstream", url]
        return ["env", *given, *argv, "--listen", f"127.0.0.1:{port}", "--log", str(home / "denials.log")]

    return command


def _resign(port: int, url: str, home: Path) -> list[str]:
    """With another key pair for the upstream than that of the load."""
    config = home / "denyproxy.toml"
    config.write_text(
        f'resign.upstream = "{url}"\n'
        f'resign.key = {{access_key_id = "AKIAUPSTREAMEXAMPLE1", secret = "{SECRET_KEY}"}}\n'
        f'resign.credentials.{ACCESS_KEY} = {{secret = "{SECRET_KEY}"}}\n'
    )
    argv = [sys.executable, "-m", "denyproxy", "serve", "--config", str(config)]
    return [*argv, "--listen", f"127.0.0.1:{port}", "--log", str(home / "denials.log")]


def _named(port: int, url: str, home: Path) -> list[str]:
    command = os.environ.get(PEER_VARIABLE)
    if not command:
        raise Unavailable(f"{PEER_VARIABLE} names no command")
    return shlex.split(command.format(listen=f"127.0.0.1:{port}", upstream=url))


PROXIES: Mapping[str, Command] = {
    "nginx": _nginx_reverse,
    "haproxy": _haproxy,
    "mitmproxy": _mitmproxy,
    "peer": _named,
    "denyproxy": _denyproxy("denyproxy"),
    "denyproxy-session": _denyproxy("benchmarks.session_proxy"),
    "denyproxy-resign": _resign,
    "denyproxy-2": _denyproxy("denyproxy", DENYPROXY_WORKERS="2"),
}
"""Name -> how it is started."""
