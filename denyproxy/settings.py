"""All that can be configured: in a TOML file, by `DENYPROXY_` variables and on the command line; the last one wins.

A member of a table is `table.member` in TOML, `DENYPROXY_TABLE__MEMBER` in the environment. Whatever is wrong is
reported under the name by which it was given, with what to do about it.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

CONFIG_VARIABLE = "DENYPROXY_CONFIG"
_PREFIX = "DENYPROXY_"
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "DENYPROXY_MINISTACK", "DENYPROXY_MINISTACK_VENV", "DENYPROXY_REQUIRE_ALL"})
"""Variables with our prefix that mean something else: the demo's, and the test suite's."""
_DELIMITER = "__"

KiB = 1024
MiB = 1024 * KiB


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list; in the environment, words with commas between them."""

Kind = Literal["aws", "minio", "ceph", "other"]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(ge=0)]


class Address(BaseModel):
    """Where to listen; written as `HOST:PORT`. Port 0: any free one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or (":" in host and not host.startswith("[")):
            raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9090 or [::1]:9090")
        return {"host": host.strip("[]") or "0.0.0.0", "port": int(port)}

    @property
    def loopback(self) -> bool:
        """Can it be reached from this machine only?"""
        return self.host == "localhost" or self.host == "::1" or self.host.startswith("127.")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class UpstreamSettings(_Table):
    """The S3 server of the passthrough mode; it has to accept any Host."""

    url: str | None = None
    """Such as `http://127.0.0.1:9000`. Not set: only the forward mode, if enabled."""
    kind: Kind | None = None
    """Whose dialect it speaks. Not set: guessed from the host."""
    ca_file: Path | None = None
    """PEM file with the certificate authorities to trust, of the forward mode too. Not set: the system's."""
    verify: bool = True
    """Check the certificate of an https upstream."""

    @field_validator("url")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an http:// or https:// URL")
        if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
            raise ValueError("an upstream is scheme, host and port only: a path would break every signature")
        try:
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"{url!r} has no valid port") from error
        return url


class ForwardSettings(_Table):
    """The forward mode: a plain-HTTP proxy that speaks TLS to S3."""

    enabled: bool = False
    allowed_hosts: Words = ("aws",)
    """`aws` is S3 in every AWS partition; `name`, `name:port` and `*.name` allow others."""


class PolicySettings(_Table):
    """Where policies come from."""

    directory: Path | None = None
    """A policy directory. Not set: explanations rest on S3's own messages alone."""


class ResponseSettings(_Table):
    """What is changed in a denied response."""

    message: Literal["append", "original"] = "append"
    """append: the explanation is added to the error's Message, so that SDKs show it."""
    header_bytes: Annotated[int, Field(ge=128, le=8192)] = 1024
    """Longest value of X-Deny-Explanation."""


class LogSettings(_Table):
    """The denial log: one JSON object per line."""

    destination: str = "-"
    """`-` is stdout; else a file, appended to, and opened anew on SIGHUP."""
    queue: Annotated[int, Field(ge=1)] = 10_000
    """Records that may wait for a slow disk; more are dropped and counted."""


class LimitSettings(_Table):
    """Bounds; sizes in bytes."""

    connections: Annotated[int, Field(ge=1)] = 1000
    """Requests at once; more get 503 SlowDown."""
    upstream_connections: Bytes = 0
    """0: as many as there are requests."""
    request_line: Annotated[int, Field(ge=1024)] = 64 * KiB
    header_field: Annotated[int, Field(ge=1024)] = 32 * KiB
    header_fields: Annotated[int, Field(ge=16)] = 256
    request_body: Bytes = 256 * KiB
    """Longest request body of which a copy is kept (DeleteObjects, bucket policies, ACLs, tags, POST forms)."""
    error_body: Bytes = 64 * KiB
    """Longest error document that is read and extended; longer ones are relayed untouched."""
    delete_result: Bytes = 1 * MiB
    """Longest DeleteObjects result that is searched for denials."""


class TimeoutSettings(_Table):
    """Times in seconds."""

    connect: Seconds = 10.0
    upstream_idle: Seconds = 300.0
    client_idle: Seconds = 120.0
    """Longest pause of a client inside its request body."""
    keepalive: Seconds = 75.0
    """How long an idle client connection is kept, and how long a client has for a request head."""
    upstream_keepalive: Seconds = 4.0
    linger: Seconds = 30.0
    """How long the rest of a refused upload is read and dropped, so that the client reads the refusal."""
    drain: Seconds = 30.0
    """How long transfers may go on after SIGTERM."""


class ConsoleSettings(_Table):
    """The second listener: health and counters."""

    listen: Annotated[Address | None, NoDecode] = None
    """Not set: none."""


class DeclaredSettings(_Table):
    """Facts about every request that a proxy cannot see."""

    context: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    """Condition key -> value or values, such as `"aws:SourceIp" = "203.0.113.7"`, `"aws:SourceVpce" = "vpce-1a2b"`."""
    absent: Words = ()
    """Condition keys that no request carries, such as `aws:SourceVpce`."""


class Settings(BaseSettings):
    """The whole configuration. Build it with `load`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter=_DELIMITER,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    listen: Annotated[Address, NoDecode] = Address(host="127.0.0.1", port=9090)
    base_domains: Words = ()
    """Domains under which virtual-hosted requests name their bucket, such as `s3.example.com`."""
    disclosure: Literal["full", "summary", "id", "auto"] = "auto"
    """What a denied caller may learn; the log always has all of it."""
    upstream: UpstreamSettings = UpstreamSettings()
    forward: ForwardSettings = ForwardSettings()
    policies: PolicySettings = PolicySettings()
    response: ResponseSettings = ResponseSettings()
    log: LogSettings = LogSettings()
    limits: LimitSettings = LimitSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    console: ConsoleSettings = ConsoleSettings()
    declared: DeclaredSettings = DeclaredSettings()

    @model_validator(mode="after")
    def _has_somewhere_to_go(self) -> Self:
        if self.upstream.url is None and not self.forward.enabled:
            raise ValueError(
                "there is nowhere to send requests to: set upstream.url (--upstream) or enable forward (--forward)"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment; `load` puts the file below them."""
        return init_settings, env_settings


class SettingsError(Exception):
    """A configuration that cannot be used: one line per problem, naming key, place and remedy."""


def load(
    given: Mapping[str, Any] | None = None,
    *,
    config: Path | None = None,
    options: Mapping[str, str] | None = None,
) -> Settings:
    """The settings from a TOML file, the environment and what is `given` on the command line (nested, as in the file).

    `config`: the file; None: the one that DENYPROXY_CONFIG names, if any. `options`: dotted key -> command line option,
    for the messages. Raises SettingsError."""
    path = config or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    file = _read(path) if path is not None else {}
    _check_variables()

    class Layered(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return sources["init_settings"], sources["env_settings"], InitSettingsSource(settings_cls, file)

    try:
        return Layered(**(given or {}))
    except ValidationError as error:
        places = _Places(given or {}, options or {}, file, path)
        raise SettingsError("\n".join(places.describe(problem) for problem in error.errors())) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}); check --config and {CONFIG_VARIABLE}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None


def _check_variables() -> None:
    known = {_PREFIX + name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    for variable in os.environ:
        if variable.startswith(_PREFIX) and variable.partition(_DELIMITER)[0].upper() not in known:
            near = difflib.get_close_matches(variable, sorted(known), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"environment variable {variable}: there is no such setting{hint}")


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each value came from, so that a problem is reported where it can be mended."""

    given: Mapping[str, Any]
    options: Mapping[str, str]
    file: Mapping[str, Any]
    path: Path | None

    def describe(self, problem: ErrorDetails) -> str:
        """One line: place, key, what is wrong, what to do."""
        location = [str(part) for part in problem["loc"]]
        key = ".".join(location)
        return f"{self._place(location, key)}: {_in_words(problem, location)}" if key else _in_words(problem, location)

    def _place(self, location: list[str], key: str) -> str:
        if _holds(self.given, location):
            return self.options.get(key) or f"{key} (command line)"
        variable = _PREFIX + _DELIMITER.join(location).upper()
        if any(name.upper().startswith(variable) for name in os.environ):
            return f"environment variable {variable}"
        if self.path is not None and _holds(self.file, location[:1]):
            return f"{self.path}: {key}"
        return key


def _holds(tree: Any, location: list[str]) -> bool:
    for part in location:
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return True


def _in_words(problem: ErrorDetails, location: list[str]) -> str:
    if problem["type"] == "extra_forbidden":
        siblings = _members(location[:-1])
        near = difflib.get_close_matches(location[-1], siblings, 1)
        return (
            f"there is no such setting; {f'did you mean {near[0]}?' if near else 'known ones: ' + ', '.join(siblings)}"
        )
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    if problem["type"] in ("model_type", "dict_type"):
        members = ", ".join(_members(location))
        return f"is a table; set its members{': ' + members if members else ''}"
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{message}, but it is {problem['input']!r}"


def _members(table: list[str]) -> list[str]:
    model: Any = Settings
    for name in table:
        model = model.model_fields[name].annotation
    return sorted(getattr(model, "model_fields", ()))
