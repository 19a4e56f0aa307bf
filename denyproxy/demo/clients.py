"""boto3 clients that depend on nothing but their arguments: no profile, no environment proxy, one attempt."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

REGION = "us-east-1"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs. `arn` is the user, or the role session behind a temporary key."""

    access_key_id: str
    secret_access_key: str
    arn: str
    session_token: str | None = None


def session() -> boto3.Session:
    """A boto3 session that reads no file of the user's."""
    nowhere = {
        name: (None, None, value, None)
        for name, value in (("profile", None), ("config_file", os.devnull), ("credentials_file", os.devnull))
    }
    return boto3.Session(botocore_session=botocore.session.Session(session_vars=nowhere), region_name=REGION)


def client(boto: boto3.Session, service: str, endpoint: str, credentials: Credentials, **config: Any) -> Any:
    """A client of one AWS service at an endpoint URL."""
    settings: dict[str, Any] = {
        "proxies": {},
        "retries": {"total_max_attempts": 1},
        "s3": {"addressing_style": "path"},
        "signature_version": "s3v4" if service == "s3" else None,
    }
    return boto.client(
        service,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(**(settings | config)),
    )
