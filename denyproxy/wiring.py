"""From settings to the objects that they describe."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from denyproxy.answering import Answering
from denyproxy.budget import Budget
from denyproxy.exchange import Answer, Declared, DeniedCall
from denyproxy.explain.delivery import Delivery
from denyproxy.explain.explainer import MOST_KEYS, Explained, Explainer, may_be_denied
from denyproxy.explain.memo import Memo
from denyproxy.explain.presentation import Disclosure, Presentation, answer, disclosed, effective
from denyproxy.explain.record import Told
from denyproxy.policies import DirectorySource, PolicySource
from denyproxy.proxy.handler import RelayOptions
from denyproxy.proxy.hosts import AllowedHosts, is_aws_s3
from denyproxy.proxy.modes import Forward, Passthrough, UpstreamMode, guess_kind
from denyproxy.proxy.server import ServerOptions
from denyproxy.proxy.signers import ClientKey, SameKeys, Signers
from denyproxy.proxy.upstream import Origin, Send, UpstreamOptions
from denyproxy.s3.snapshot import PolicySnapshot
from denyproxy.service_model import s3_operations
from denyproxy.settings import Settings, SettingsError


class NoPolicies:
    """A source for which nothing is known."""

    snapshot = PolicySnapshot(revision="none")

    async def start(self) -> None:
        """There is nothing to load."""

    async def reload(self) -> None:
        """There is nothing to load."""

    async def stop(self) -> None:
        """There is nothing to watch."""


def policy_source(settings: Settings) -> PolicySource:
    """The source of snapshots that the settings name."""
    directory = settings.policies.directory
    return DirectorySource(directory) if directory is not None else NoPolicies()


class ColdPath:
    """From a denied call to what goes to the client and to the log, with the settings of its delivery."""

    def __init__(self, settings: Settings) -> None:
        self._explain = Explainer(s3_operations(), settings.base_domains)
        self._scenario = settings.log.scenario
        # A scenario holds the call itself, which no other call shares.
        self._memo = Memo(self._explain, self._delivery, 0 if self._scenario else settings.explain.memo)
        self._presentation = Presentation(
            disclosure=Disclosure(settings.disclosure),
            loopback=settings.listen.loopback,
            append_message=settings.response.message == "append",
            header_bytes=settings.response.header_bytes,
        )

    @property
    def remembered(self) -> int:
        """Denials that were like one before."""
        return self._memo.hits

    def may_be_denied(self, call: DeniedCall) -> bool:
        """Is there anything to explain, at first glance?"""
        return may_be_denied(call)

    def at_once(self, call: DeniedCall, snapshot: PolicySnapshot) -> tuple[Answer, str | None] | None:
        """The answer and the record as JSON. No record: it takes longer, and is to be made `in_slices`. None: nothing
        was denied after all."""
        told = self._memo(call, snapshot, most_keys=MOST_KEYS)
        if told is None:
            return None
        method, body = call.request.method, call.response_body
        return answer(told.text, call.id, presentation=self._presentation, method=method, body=body), told.record

    def in_slices(self, call: DeniedCall, snapshot: PolicySnapshot) -> Generator[None, None, str | None]:
        """The record as JSON, made in pieces; None: nothing was denied after all."""
        known = self._memo.recall(call, snapshot)
        if known is not None:
            return known.record
        explained = yield from self._explain.steps(call, snapshot)
        return None if explained is None else self._record(explained)

    def _delivery(self, told: Told) -> Delivery:
        text = disclosed(told.explanation, effective(self._presentation, own_account=told.own_account))
        complete = not isinstance(told, Explained) or told.complete
        return Delivery(text, self._record(told) if complete else None)

    def _record(self, told: Told) -> str:
        if self._scenario and isinstance(told, Explained):
            return told.record_with_scenario.to_json()
        return told.record.to_json()


def answering(
    settings: Settings, cold: ColdPath, snapshot: Callable[[], PolicySnapshot], put: Callable[[str], None]
) -> Answering:
    """What the relay asks for an answer."""
    explain = settings.explain
    return Answering(
        cold, snapshot, put, budget=Budget(explain.share), queue=explain.queue, queue_bytes=explain.queue_bytes
    )


def signers(settings: Settings) -> Signers:
    """Whose credentials the resign mode signs with. Raises SettingsError."""
    if settings.resign.upstream is None:
        return SameKeys()
    from denyproxy.resigning import upstream_signers

    return upstream_signers(settings)


def client_keys(settings: Settings) -> dict[str, ClientKey]:
    """The keys that clients of the resign mode sign with. Raises SettingsError."""
    if settings.resign.upstream is None:
        return {}
    from denyproxy import resigning

    return resigning.client_keys(settings.resign)


def modes(settings: Settings, keys: Mapping[str, ClientKey], signers: Signers, send: Send) -> list[UpstreamMode]:
    """The modes that are on; the first that accepts a request has it. `keys`: the clients'. Raises SettingsError."""
    found: list[UpstreamMode] = []
    if settings.forward.enabled:
        try:
            found.append(Forward(AllowedHosts.parse(settings.forward.allowed_hosts)))
        except ValueError as error:
            raise SettingsError(f"forward.allowed_hosts: {error}") from None
    if settings.upstream.url is not None:
        parts = urlsplit(settings.upstream.url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if is_aws_s3(host):
            raise SettingsError(
                f"upstream.url: {settings.upstream.url} is AWS, which answers SignatureDoesNotMatch to whatever is not "
                "signed for its own host; use --forward (HTTP_PROXY), or --resign aws"
            )
        found.append(Passthrough(Origin(parts.scheme, host, port, settings.upstream.kind or guess_kind(host))))
    if settings.resign.upstream is not None:
        from denyproxy.resigning import resign_mode

        passthrough = found[-1] if settings.upstream.url is not None else None
        found.insert(int(settings.forward.enabled), resign_mode(settings, keys, signers, send, passthrough))
    return found


def declared(settings: Settings) -> Declared:
    """The operator's facts about every request."""
    context: dict[str, tuple[str, ...] | None] = {
        key: (value,) if isinstance(value, str) else value for key, value in settings.declared.context.items()
    }
    context.update(dict.fromkeys(settings.declared.absent))
    return Declared(context=context)


def trust(settings: Settings) -> ssl.SSLContext | None:
    """Whom to trust as an upstream; None: as the system does. Raises SettingsError."""
    if settings.upstream.ca_file is None and settings.upstream.verify:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.upstream.ca_file)
    except OSError as error:
        raise SettingsError(f"upstream.ca_file: {settings.upstream.ca_file} cannot be used: {error}") from None
    if not settings.upstream.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def upstream_options(settings: Settings) -> UpstreamOptions:
    """Bounds and trust of the upstream client. Raises SettingsError."""
    limits, timeouts = settings.limits, settings.timeouts
    return UpstreamOptions(
        connect_seconds=timeouts.connect,
        idle_seconds=timeouts.upstream_idle,
        keepalive_seconds=timeouts.upstream_keepalive,
        connections=limits.upstream_connections,
        tls=trust(settings),
    )


def relay_options(settings: Settings) -> RelayOptions:
    """Bounds of the relay."""
    limits = settings.limits
    return RelayOptions(
        request_body_bytes=limits.request_body,
        error_body_bytes=limits.error_body,
        delete_result_bytes=limits.delete_result,
        header_bytes=settings.response.header_bytes,
        client_idle_seconds=settings.timeouts.client_idle,
        connections=limits.connections,
    )


def listener_tls(settings: Settings) -> ssl.SSLContext | None:
    """TLS of the listener; None: it speaks plain HTTP. Raises SettingsError."""
    if settings.listen_tls.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load_certificate(context, settings)
    return context


def load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Read certificate and key; connections that come afterwards get them. Raises SettingsError."""
    certificate = settings.listen_tls.certificate
    assert certificate is not None
    key = settings.listen_tls.key or certificate
    if b"-----BEGIN CERTIFICATE-----" not in _contents("listen_tls.certificate", certificate):
        raise SettingsError(f"listen_tls.certificate: {certificate} holds no certificate; give a PEM file")
    private = _contents("listen_tls.key", key)
    if b"PRIVATE KEY-----" not in private:
        raise SettingsError(f"listen_tls.key: {key} holds no private key; give a PEM file that does")
    if b"ENCRYPTED" in private:
        raise SettingsError(
            f"listen_tls.key: {key} is encrypted; give one that is not: openssl pkey -in {key} -out plain.pem"
        )
    trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # a pair that does not match would leave the context with neither
    try:
        for each in (trial, context):
            each.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(f"listen_tls.key: {key} is not the key of {certificate}; give the pair") from None
        raise SettingsError(
            f"listen_tls.certificate: {certificate} or its key {key} is damaged ({error.reason}); give PEM files"
        ) from None


def _contents(member: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{member}: {path} cannot be read: {error.strerror}") from None


def server_options(settings: Settings) -> ServerOptions:
    """Bounds of the listening side."""
    limits, timeouts = settings.limits, settings.timeouts
    return ServerOptions(
        head_bytes=limits.request_head,
        fields=limits.header_fields,
        connections=limits.client_connections,
        head_seconds=timeouts.request_head,
        keepalive_seconds=timeouts.keepalive,
        idle_seconds=timeouts.client_idle,
        linger_seconds=timeouts.linger,
    )
