"""From the settings of the resign mode to its objects: the clients' keys, and what signs for the upstream."""

from __future__ import annotations

import logging
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError

from denyproxy.proxy.endpoints import DEFAULT_REGION, one_server
from denyproxy.proxy.modes import UpstreamMode, guess_kind
from denyproxy.proxy.resign import Resign, ResignOptions
from denyproxy.proxy.signers import ClientKey, OnePair, SameKeys, Signer, Signers
from denyproxy.proxy.upstream import Origin, Send
from denyproxy.settings import KeySettings, ResignSettings, Settings, SettingsError
from denyproxy.sigv4.credentials import Credentials

log = logging.getLogger(__name__)

AWS = "aws"
OWN_KEY_PREFIX = "DENY"
"""How the access key ids begin that `denyproxy credentials new` makes."""

_TABLES = TypeAdapter(dict[str, KeySettings])


def client_keys(settings: ResignSettings) -> dict[str, ClientKey]:
    """The table of the clients' keys, read off its files. Raises SettingsError."""
    keys = {key_id: _client_key(key_id, key, "resign.credentials") for key_id, key in settings.credentials.items()}
    path = settings.credentials_file
    if path is not None:
        for key_id, key in read_credentials_file(path).items():
            if key_id in keys:
                raise SettingsError(f"resign.credentials_file: {path}: {key_id} is in resign.credentials too")
            keys[key_id] = _client_key(key_id, key, str(path))
    if not keys:
        raise SettingsError(
            "resign: there is no access key that a client could sign with: make one with `denyproxy credentials new`, "
            "and set resign.credentials_file"
        )
    return keys


def read_credentials_file(path: Path) -> Mapping[str, KeySettings]:
    """Its tables. Raises SettingsError, which repeats no secret."""
    try:
        text = path.read_text(encoding="utf-8")
        _warn_if_open(path)
        return _TABLES.validate_python(tomllib.loads(text))
    except OSError as error:
        raise SettingsError(f"resign.credentials_file: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SettingsError(f"resign.credentials_file: {path} is not TOML") from None
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise SettingsError(f"resign.credentials_file: {path}: {place}: {problem['msg']}") from None


def _warn_if_open(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        log.warning("%s holds secrets, and others than its owner may read it (mode %03o): chmod 600", path, mode)


def _client_key(key_id: str, key: KeySettings, place: str) -> ClientKey:
    return ClientKey(_credentials(key_id, key, f"{place}.{key_id}"), key.principal)


def _credentials(key_id: str, key: KeySettings, place: str, token: str | None = None) -> Credentials:
    try:
        return Credentials(key_id, _secret(key, place), token)
    except ValueError as error:
        raise SettingsError(f"{place}: {error}") from None


def _secret(key: KeySettings, place: str) -> str:
    if key.secret_file is None:
        assert key.secret is not None
        secret = key.secret.get_secret_value()
    else:
        try:
            secret = key.secret_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{place}.secret_file: {key.secret_file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{place}.secret_file: {key.secret_file} is not text") from None
        _warn_if_open(key.secret_file)
    if not secret:
        raise SettingsError(f"{place}: the secret is empty")
    return secret


def upstream_signers(settings: Settings) -> Signers:
    """What signs for the upstream. Raises SettingsError."""
    resign = settings.resign
    if resign.key is not None:
        key = resign.key
        token = key.session_token.get_secret_value() if key.session_token is not None else None
        credentials = _credentials(key.access_key_id, key, "resign.key", token)
        return OnePair(Signer(credentials, key.principal or resign.principal))
    if resign.upstream is not None and resign.sign_with == "chain":
        from denyproxy.upstream_credentials import RefreshedSigner, botocore_chain, sts_identity

        identify = sts_identity(resign.region or DEFAULT_REGION) if resign.upstream == AWS else None
        return RefreshedSigner(botocore_chain(resign.profile), identify, principal=resign.principal)
    return SameKeys()


def _warn_of_own_keys(keys: Mapping[str, ClientKey]) -> None:
    """Keys that `denyproxy credentials new` made are nobody's at AWS."""
    for key_id in keys:
        if key_id.startswith(OWN_KEY_PREFIX):
            log.warning(
                "%s was made by `denyproxy credentials new`, so that AWS does not know it, and resign.sign_with is "
                "client: requests signed with it would be answered InvalidAccessKeyId; sign with keys of AWS's own "
                "(--sign-with chain)",
                key_id,
            )


def resign_mode(
    settings: Settings, keys: Mapping[str, ClientKey], signers: Signers, send: Send, otherwise: UpstreamMode | None
) -> Resign:
    """The mode itself."""
    resign = settings.resign
    assert resign.upstream is not None
    if resign.upstream == AWS:
        from denyproxy.aws_endpoints import aws_endpoints

        endpoints = aws_endpoints(dualstack=resign.dualstack, fips=resign.fips)
    else:
        parts = urlsplit(resign.upstream)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        endpoints = one_server(Origin(parts.scheme, host, port, resign.kind or guess_kind(host)))
    if resign.upstream == AWS and isinstance(signers, SameKeys):
        _warn_of_own_keys(keys)
    domains = (*(domain.lower().strip(".") for domain in settings.base_domains), "localhost")
    return Resign(
        keys,
        signers,
        endpoints,
        send,
        options=ResignOptions(aws=resign.upstream == AWS, region=resign.region, base_domains=domains),
        otherwise=otherwise,
    )
