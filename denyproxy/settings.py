"""All that can be configured, with its defaults. `denyproxy.loading` says where the values come from.

A member of a table is `table.member` in TOML, `DENYPROXY_TABLE__MEMBER` in the environment.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    SettingsConfigDict,
)

PREFIX = "DENYPROXY_"
DELIMITER = "__"

KiB = 1024
MiB = 1024 * KiB


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A list; in the environment, words with commas between them."""

Kind = Literal["aws", "minio", "ceph", "other"]
Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(ge=0)]


def _port(value: Any) -> int:
    """The port that was meant by a number."""
    return value if isinstance(value, int) and 0 < value <= 65535 else 9090


class Address(BaseModel):
    """Where to listen; written as `HOST:PORT`. Port 0: any free one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        if not isinstance(value, str):
            raise ValueError(f'is "HOST:PORT" in quotes, such as "127.0.0.1:{_port(value)}", not {value!r}')
        host, colon, port = value.rpartition(":")
        if not colon or not port.isdecimal() or (":" in host and not host.startswith("[")):
            raise ValueError(f"{value!r} is not HOST:PORT, such as 127.0.0.1:9090 or [::1]:9090")
        return {"host": host.strip("[]") or "0.0.0.0", "port": int(port)}

    @property
    def loopback(self) -> bool:
        """Can it be reached from this machine only?"""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


def _origin(url: str | None) -> str | None:
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


class UpstreamSettings(_Table):
    """The S3 server of the passthrough mode; it has to accept any Host."""

    url: str | None = None
    """Such as `http://127.0.0.1:9000`. Not set: only the modes forward and resign, if they are on."""
    kind: Kind | None = None
    """Whose dialect it speaks. Not set: guessed from the host."""
    ca_file: Path | None = None
    """PEM file with the certificate authorities to trust, of the forward mode too. Not set: the system's."""
    verify: bool = True
    """Check the certificate of an https upstream."""

    @field_validator("url")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        return _origin(url)


class KeySettings(_Table):
    """A key pair: the secret itself, or a file that holds nothing else."""

    secret: SecretStr | None = None
    secret_file: Path | None = None
    principal: str | None = None
    """ARN of whom it stands for."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.secret is None) == (self.secret_file is None):
            raise ValueError("set either secret or secret_file")
        return self


class UpstreamKeySettings(KeySettings):
    """The pair that signs for the upstream."""

    access_key_id: str
    session_token: SecretStr | None = None


class ResignSettings(_Table):
    """The resign mode: verifies what clients sign, and signs it again for AWS or a server with other credentials."""

    upstream: str | None = None
    """`aws`, or the URL of a server. Not set: the mode is off."""
    kind: Kind | None = None
    """Whose dialect a server speaks. Not set: guessed from the host."""
    region: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """AWS: where requests go first whose bucket's region is not known. Else: the region to sign for. Not set: the
    region that the client signed for."""
    dualstack: bool = False
    """AWS: endpoints with IPv6."""
    fips: bool = False
    """AWS: endpoints with FIPS 140 cryptography."""
    sign_with: Literal["client", "chain"] = "client"
    """client: the upstream knows the clients' own keys. chain: as botocore finds them (environment, profile, SSO, role,
    container, IMDS). `resign.key` goes before either."""
    profile: str | None = None
    """Of the chain."""
    key: UpstreamKeySettings | None = None
    """One key pair for the upstream."""
    principal: str | None = None
    """ARN of whom the upstream sees. Not set: asked of STS, for AWS and the chain."""
    credentials: dict[str, KeySettings] = Field(default_factory=dict)
    """The clients' keys: access key id -> secret or secret_file, and principal."""
    credentials_file: Path | None = None
    """More of them, in a file of their own (TOML, the same tables), as `denyproxy credentials new` prints them."""

    @field_validator("upstream")
    @classmethod
    def _is_aws_or_origin(cls, upstream: str | None) -> str | None:
        return upstream if upstream == "aws" else _origin(upstream)


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
    scenario: bool = False
    """Keep with each record the call as a scenario: all policies that bear on it, to explain it again."""


class ListenTlsSettings(_Table):
    """TLS on the listener; PEM files, read again on SIGHUP."""

    certificate: Path | None = None
    """The certificate, and those between it and its authority. Not set: the listener speaks plain HTTP."""
    key: Path | None = None
    """Its private key, not encrypted. Not set: it is in the certificate's file."""

    @model_validator(mode="after")
    def _key_has_a_certificate(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("a key needs its certificate: set listen_tls.certificate too")
        return self


class ExplainSettings(_Table):
    """What explaining may take in a storm of denials."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the time for explanations while the relay has none to spare; what is past it is explained later."""
    memo: Annotated[int, Field(ge=0)] = 1000
    """Explanations that are kept for denials that are alike; 0: none."""
    queue: Annotated[int, Field(ge=0)] = 10_000
    """Denials that may wait to be explained in the log; more are shed: named there by their ids."""
    queue_bytes: Bytes = 32 * MiB
    """Memory that they may take."""


class LimitSettings(_Table):
    """Bounds; sizes in bytes. Each worker has its own."""

    connections: Annotated[int, Field(ge=1)] = 1000
    """Requests at once; more get 503 SlowDown."""
    client_connections: Annotated[int, Field(ge=1)] = 2000
    """Open connections of clients. For one more, that which is idle for longest is closed, or one whose client stopped
    reading; is none, it gets 503 SlowDown. As many again may be in a TLS handshake."""
    upstream_connections: Bytes = 0
    """0: as many as there are requests. Who waits for one longer than `timeouts.connect` gets 503 SlowDown."""
    request_head: Annotated[int, Field(ge=1024)] = 128 * KiB
    """Longest head of a request."""
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
    """Longest pause of a client: inside its request body, or without taking more of a response."""
    keepalive: Seconds = 75.0
    """How long an idle client connection is kept."""
    request_head: Seconds = 30.0
    """How long a client has for a request head, from its first byte, and for the TLS handshake."""
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
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    listen: Annotated[Address, NoDecode] = Address(host="127.0.0.1", port=9090)
    listen_tls: ListenTlsSettings = ListenTlsSettings()
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    """Processes that share the port, on Linux."""
    base_domains: Words = ()
    """Domains under which virtual-hosted requests name their bucket, such as `s3.example.com`."""
    disclosure: Literal["full", "summary", "id", "auto"] = "auto"
    """What a denied caller may learn; the log always has all of it."""
    upstream: UpstreamSettings = UpstreamSettings()
    forward: ForwardSettings = ForwardSettings()
    resign: ResignSettings = ResignSettings()
    policies: PolicySettings = PolicySettings()
    response: ResponseSettings = ResponseSettings()
    log: LogSettings = LogSettings()
    explain: ExplainSettings = ExplainSettings()
    limits: LimitSettings = LimitSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    console: ConsoleSettings = ConsoleSettings()
    declared: DeclaredSettings = DeclaredSettings()

    @model_validator(mode="after")
    def _has_somewhere_to_go(self) -> Self:
        if self.upstream.url is None and self.resign.upstream is None and not self.forward.enabled:
            raise ValueError(
                "there is nowhere to send requests to: set upstream.url (--upstream) or resign.upstream, "
                "or enable forward (--forward)"
            )
        return self


class SettingsError(Exception):
    """A configuration that cannot be used: one line per problem, naming key, place and remedy."""
