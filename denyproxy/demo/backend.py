"""MiniStack, the enforcing S3 and IAM server of the demo: where it comes from and how it is run.

It pins one botocore, so it lives in an environment of its own. Its root keys (any 12 digits) are not verified, so it
must never listen beyond loopback. https://pypi.org/project/ministack/
"""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from denyproxy.demo.leash import free_port, leashed

REQUIREMENT = "ministack~=1.5.33"
EXECUTABLE_VARIABLE = "DENYPROXY_MINISTACK"
"""Environment variable: path of an installed `ministack`."""
DIRECTORY_VARIABLE = "DENYPROXY_MINISTACK_VENV"
"""Environment variable: where to install it otherwise. Default: ~/.cache/denyproxy/ministack."""


class BackendMissing(Exception):
    """MiniStack is not there and could not be installed."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A running server."""

    endpoint: str
    root_secret: str
    """Of the root user of any account; the access key id is the account's 12 digits."""


@contextlib.contextmanager
def running(directory: Path, *, say: Callable[[str], None] = lambda text: None) -> Iterator[Backend]:
    """Run MiniStack on a free loopback port, its files below `directory`, until the block ends.

    Raises BackendMissing, ServerFailed.
    """
    executable = find_or_install(say)
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    secret = secrets.token_hex(20)
    state = directory / "ministack"
    state.mkdir(parents=True)
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state),
        "TMPDIR": str(state),
        "S3_DATA_DIR": str(state / "s3"),
        "STATE_DIR": str(state / "state"),
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AWS_ACCESS_KEY_ID": secrets.token_hex(20),
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    log = directory / "ministack.log"
    with leashed("MiniStack", [str(executable)], env=env, log=log, ready_url=f"{endpoint}/_ministack/health"):
        yield Backend(endpoint, secret)


def find_or_install(say: Callable[[str], None] = lambda text: None) -> Path:
    """The `ministack` executable, installed with pip on first use. Raises BackendMissing."""
    named = os.environ.get(EXECUTABLE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise BackendMissing(f"{EXECUTABLE_VARIABLE} names {named}, which is not a file")
        return Path(named)
    home = Path(os.environ.get(DIRECTORY_VARIABLE) or Path.home() / ".cache" / "denyproxy" / "ministack")
    return install(REQUIREMENT, home.absolute(), say) / "ministack"


def install(requirement: str, home: Path, say: Callable[[str], None] = lambda text: None) -> Path:
    """The `bin` directory of an environment that has what is required, made with venv and pip if it is not there.

    Raises BackendMissing.
    """
    stamp = home / "installed"
    with _alone(home):
        if not stamp.is_file() or stamp.read_text() != requirement:
            say(f"Installing {requirement} into {home} (once)")
            venv.create(home, clear=True, with_pip=True)
            pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            done = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False)
            if done.returncode:
                raise BackendMissing(f"pip could not install {requirement}:\n{done.stderr.strip()}")
            stamp.write_text(requirement)
    return home / "bin"


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Wait until no other process makes this environment."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
