"""Credentials for the upstream from botocore's chain (profile, SSO, role, IMDS), kept fresh by a thread of their own.

A request never waits for them. https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from denyproxy.proxy.errors import NoCredentials
from denyproxy.proxy.signers import ClientKey, Signer
from denyproxy.sigv4.credentials import Credentials

log = logging.getLogger(__name__)

_LOOK_AGAIN = 60.0
"""Seconds. botocore asks for new credentials from a quarter of an hour before the old ones expire."""
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a source gave."""

    credentials: Credentials
    expires: datetime | None = None
    """Aware UTC; None: not known to expire."""


Load = Callable[[], Loaded]
"""Asks the source, and may take long. Raises anything."""

Identify = Callable[[Credentials], str | None]
"""The ARN behind credentials (STS GetCallerIdentity). Raises anything."""


class RefreshedSigner:
    """The latest good credentials. `start` it, and `stop` it."""

    def __init__(
        self,
        load: Load,
        identify: Identify | None = None,
        *,
        principal: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        """`principal`: the ARN, where it is configured; nobody is asked then."""
        self._load = load
        self._identify = identify if principal is None else None
        self._principal = principal
        self._clock = clock
        self._wait = wait
        self._signer: Signer | None = None
        self._expires: datetime | None = None
        self._problem = "they are still being loaded"
        self._failures = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def signer(self, client: ClientKey) -> Signer:
        """The same for every client. Raises NoCredentials if there are none, or they have expired."""
        signer, expires = self._signer, self._expires
        if signer is None:
            raise NoCredentials(f"denyproxy has no credentials for the upstream: {self._problem}.")
        if expires is not None and self._clock() >= expires:
            raise NoCredentials(f"denyproxy's credentials for the upstream have expired: {self._problem}.")
        return signer

    def start(self) -> None:
        """Load them in the background."""
        self._thread = threading.Thread(target=self._run, name="upstream-credentials", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Load no more; does not wait for a source that hangs."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wait(self._stop, self.refresh())

    def refresh(self) -> float:
        """Load once; the seconds after which to do it again. Called by the thread."""
        try:
            loaded = self._load()
        except Exception as error:
            return self._failed(error)
        if loaded.expires is not None and loaded.expires <= self._clock():
            return self._failed(TimeoutError("the source gave credentials that have expired"))
        self._failures = 0
        self._problem = "the source gave no new ones in time"
        before = self._signer
        self._expires = loaded.expires
        if before is None or before.credentials != loaded.credentials:
            self._signer = Signer(loaded.credentials, self._principal)
            log.info("upstream credentials: %s, %s", loaded.credentials.access_key_id, _until(loaded.expires))
        self._name(loaded.credentials)
        if loaded.expires is None:
            return _LOOK_AGAIN
        return min(_LOOK_AGAIN, max(1.0, (loaded.expires - self._clock()).total_seconds() / 4))

    def _name(self, credentials: Credentials) -> None:
        """Find out who they are; until then nobody says so."""
        if self._identify is None or (self._signer is not None and self._signer.principal is not None):
            return
        try:
            arn = self._identify(credentials)
        except Exception as error:
            log.warning("upstream credentials: whose they are is not known: %s", type(error).__name__)
            return
        self._signer = Signer(credentials, arn)

    def _failed(self, error: Exception) -> float:
        self._problem = f"the last attempt to load them failed ({type(error).__name__})"
        log.warning("upstream credentials could not be loaded: %.300s", " ".join(str(error).split()))
        seconds = _RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)]
        self._failures += 1
        return seconds


def _until(expires: datetime | None) -> str:
    return "which are not known to expire" if expires is None else f"valid until {expires.isoformat()}"


def botocore_chain(profile: str | None) -> Load:
    """botocore's chain. What cannot be refreshed (files, variables) is read anew each time."""
    from botocore.credentials import RefreshableCredentials
    from botocore.session import Session

    kept: list[RefreshableCredentials] = []

    def load() -> Loaded:
        if not kept:
            found = Session(profile=profile).get_credentials()
            if found is None:
                raise LookupError("botocore's chain (environment, profile, SSO, container, IMDS) has no credentials")
            if isinstance(found, RefreshableCredentials):
                kept.append(found)
            else:
                return Loaded(_of(found.get_frozen_credentials()))
        source = kept[0]
        frozen = source.get_frozen_credentials()
        return Loaded(_of(frozen), source._expiry_time)

    return load


def sts_identity(region: str) -> Identify:
    """Ask STS. Needs no permission.

    https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html"""

    def identify(credentials: Credentials) -> str | None:
        from botocore.config import Config
        from botocore.session import Session

        client = Session().create_client(
            "sts",
            region_name=region,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
            config=Config(connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 2}),
        )
        arn: str = client.get_caller_identity()["Arn"]
        return arn

    return identify


def _of(frozen: object) -> Credentials:
    return Credentials(
        getattr(frozen, "access_key"),  # noqa: B009
        getattr(frozen, "secret_key"),  # noqa: B009
        getattr(frozen, "token", None) or None,
    )
