"""S3 test suites: what to run for an endpoint, and how it is told of the endpoint and of the keys."""

from __future__ import annotations

import configparser
import os
import shlex
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from denyproxy.demo.clients import REGION
from tests.backends import ROOT

COMMAND, CHECKOUT, CONF = "S3TEST_COMMAND", "S3TESTS", "S3TEST_CONF"
ARGUMENTS, PYTHON = "S3TEST_ARGS", "S3TEST_PYTHON"


class Unusable(Exception):
    """What is to be run is not there; the message says what to set."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one user."""

    access_key: str
    secret_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Suite:
    """A command with the placeholders {endpoint}, {host}, {port}, {conf} and {junit}."""

    command: str
    directory: Path
    conf: str | None
    """The text of a configuration as ceph/s3-tests has it; its host and port are replaced for each run."""
    reports: bool
    """It must write a JUnit report; otherwise its exit status will do."""
    pytest: str = ""
    """The command without arguments, where it is pytest's."""

    def only(self, tests: Iterable[str]) -> Suite | None:
        """Some tests of it, named as a report names them; None: it does not run them alone."""
        nodes = [node_id(self.directory, test) for test in tests]
        if not self.pytest or not all(nodes):
            return None
        command = f"{self.pytest} {shlex.join(node for node in nodes if node)}"
        return replace(self, command=command.replace("{", "{{").replace("}", "}}"))

    def run(self, endpoint: str, keys: Mapping[str, Keys], place: Path) -> tuple[Path, int]:
        """Run it; gives where its JUnit report is, if it wrote one, and the exit status. Raises Unusable."""
        parts = urlsplit(endpoint)
        conf, junit = place / "s3tests.conf", place / "junit.xml"
        conf.write_text(configuration(endpoint, self.conf, keys))
        conf.chmod(0o600)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        words = {"endpoint": endpoint, "host": parts.hostname, "port": port, "conf": conf, "junit": junit}
        env = {
            **os.environ,
            CONF: str(conf),
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "PYTEST_ADDOPTS": f"{os.environ.get('PYTEST_ADDOPTS', '')} --junitxml={junit}".strip(),
        }
        if keys:
            env |= {
                "AWS_ACCESS_KEY_ID": keys["s3 main"].access_key,
                "AWS_SECRET_ACCESS_KEY": keys["s3 main"].secret_key,
            }
            env["AWS_DEFAULT_REGION"] = REGION
        done = subprocess.run(self.command.format(**words), shell=True, cwd=self.directory, env=env, check=False)
        if self.reports and not junit.is_file():
            raise Unusable(f"the tests ended with status {done.returncode} and no report")
        return junit, done.returncode


def chosen() -> Suite:
    """The suite that the environment names. Raises Unusable."""
    conf_file = os.environ.get(CONF)
    conf = Path(conf_file).read_text() if conf_file else None
    if command := os.environ.get(COMMAND):
        return Suite(command, Path.cwd(), conf, reports="{junit}" in command)
    checkout = os.environ.get(CHECKOUT)
    if not checkout:
        raise Unusable(
            f"set {CHECKOUT} to a checkout of https://github.com/ceph/s3-tests, "
            f"or {COMMAND} to any command with {{endpoint}} or {{host}} and {{port}} in it"
        )
    directory = Path(checkout).absolute()
    functional = next(
        (it for it in ("s3tests/functional", "s3tests_boto3/functional") if (directory / it).is_dir()), ""
    )
    if not functional:
        raise Unusable(f"{CHECKOUT} is {directory}, which has no s3tests/functional")
    pytest = shlex.join([_python(directory), "-m", "pytest", "-q", "-p", "no:cacheprovider"])
    files = [f"{functional}/{name}.py" for name in ("test_s3", "test_headers")]
    arguments = os.environ.get(ARGUMENTS) or shlex.join(file for file in files if (directory / file).is_file())
    command = f"{pytest} {arguments}".replace("{", "{{").replace("}", "}}")
    return Suite(command, directory, conf, reports=True, pytest=pytest)


def node_id(directory: Path, test: str) -> str | None:
    """What pytest calls a test that its report names `package.module.Class.test`."""
    words = test.partition("[")[0].split(".")
    for count in range(len(words) - 1, 0, -1):
        file = Path(*words[:count]).with_suffix(".py")
        if (directory / file).is_file():
            return "::".join([str(file), *words[count:]]) + test[len(".".join(words)) :]
    return None


def _python(directory: Path) -> str:
    """That of the variable, of an environment in the checkout, or of one with its requirements that is made here."""
    if named := os.environ.get(PYTHON):
        return named
    for environment in ("virtualenv", "venv", ".venv"):
        if (python := directory / environment / "bin" / "python").is_file():
            return str(python)
    home = ROOT / ".venv-s3tests"
    python, stamp = home / "bin" / "python", home / "installed"
    requirements = (directory / "requirements.txt").read_text()
    if not stamp.is_file() or stamp.read_text() != requirements:
        print(f"installing the requirements of {directory} into {home}", file=sys.stderr)
        venv.create(home, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*pip, "-r", str(directory / "requirements.txt"), "pytest"], check=False)
        if done.returncode:
            raise Unusable(f"pip could not install the requirements of {directory}; set {PYTHON} to a Python with them")
        stamp.write_text(requirements)
    return str(python)


_SECTIONS: Mapping[str, Mapping[str, str]] = {
    "s3 main": {"user_id": "main", "display_name": "main", "email": "main@example.com", "api_name": "default"},
    "s3 alt": {"user_id": "alt", "display_name": "alt", "email": "alt@example.com"},
    "s3 tenant": {"user_id": "tenant", "display_name": "tenant", "email": "tenant@example.com", "tenant": "tenant"},
    "iam": {"user_id": "iam", "display_name": "iam", "email": "iam@example.com"},
    "iam root": {"user_id": "root", "email": "root@example.com"},
    "iam alt root": {"user_id": "altroot", "email": "altroot@example.com"},
}
USERS = tuple(_SECTIONS)
"""The users that ceph/s3-tests wants."""


def configuration(endpoint: str, text: str | None, keys: Mapping[str, Keys]) -> str:
    """A configuration for ceph/s3-tests: one that is given, or one with these keys, with the endpoint put in."""
    parts = urlsplit(endpoint)
    parser = configparser.RawConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    if text is not None:
        parser.read_string(text)
    else:
        parser["fixtures"] = {
            "bucket prefix": "denyproxy-{random}-",
            "iam name prefix": "s3-tests-",
            "iam path prefix": "/s3-tests/",
        }
        for section, members in _SECTIONS.items():
            of = keys.get(section)
            parser[section] = {**members, **({"access_key": of.access_key, "secret_key": of.secret_key} if of else {})}
    defaults = parser["DEFAULT"]
    defaults["host"] = parts.hostname or ""
    defaults["port"] = str(parts.port or (443 if parts.scheme == "https" else 80))
    defaults["is_secure"] = str(parts.scheme == "https")
    defaults.setdefault("ssl_verify", "False")
    lines: list[str] = []
    for section in ("DEFAULT", *parser.sections()):
        members = dict(parser.items(section)) if section != "DEFAULT" else dict(defaults)
        own = {name: value for name, value in members.items() if section == "DEFAULT" or name not in defaults}
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in own.items()), ""]
    return "\n".join(lines)


def endpoint_of(text: str) -> str:
    """The endpoint that a configuration names."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    defaults = parser["DEFAULT"]
    scheme = "https" if defaults.getboolean("is_secure", False) else "http"
    return f"{scheme}://{defaults['host']}:{defaults['port']}"
