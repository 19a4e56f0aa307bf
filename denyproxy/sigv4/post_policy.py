"""The policy of a browser-based upload (POST): who signed it, until when it holds, and how others would sign it.

Its conditions stay, so the server that gets the form holds the upload to them.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from denyproxy.sigv4.credential import SIGV4
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.scope import Scope
from denyproxy.sigv4.signing import signing_key
from denyproxy.sigv4.verified import token_refusal
from denyproxy.sigv4.wire import parse_date

SIGNING_FIELDS = frozenset(
    {
        "awsaccesskeyid",
        "policy",
        "signature",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    }
)
"""Form fields (lower case) that sign a form."""

_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)


def verify_policy(
    fields: Mapping[str, str], lookup: Callable[[str], Credentials | None], now: datetime
) -> Credentials | Refusal:
    """Whose credentials signed a form. `fields`: by lower-case name, `policy` among them; `now`: aware."""
    policy = fields["policy"]
    if "x-amz-signature" in fields:
        scope = Scope.parse(fields.get("x-amz-credential", ""))
        if scope is None or fields.get("x-amz-algorithm") != SIGV4:
            return Refusal(400, "InvalidArgument", "The form's x-amz-credential or x-amz-algorithm is malformed.")
        key_id = scope.key_id
    else:
        key_id, scope = fields.get("awsaccesskeyid", ""), None
    credentials = lookup(key_id)
    if credentials is None:
        message = "The AWS Access Key Id you provided does not exist in our records."
        return Refusal(403, "InvalidAccessKeyId", message, (("AWSAccessKeyId", key_id),))
    if scope is not None:
        expected = _signature(policy, credentials, scope.date, scope.region, scope.service)
        provided = fields["x-amz-signature"]
    else:
        digest = hmac.digest(credentials.secret_access_key.encode(), policy.encode("utf-8", "surrogateescape"), "sha1")
        expected, provided = base64.b64encode(digest).decode(), fields.get("signature", "")
    if not hmac.compare_digest(expected.encode(), provided.encode("utf-8", "surrogateescape")):
        return Refusal(403, "SignatureDoesNotMatch", _MISMATCH, (("StringToSign", policy),))
    refusal = token_refusal(credentials, fields.get("x-amz-security-token"))
    if refusal is not None:
        return refusal
    document = _document(policy)
    expires = document.get("expiration") if document is not None else None
    expiration = parse_date(expires) if isinstance(expires, str) else None
    if document is None or expiration is None:
        return Refusal(400, "InvalidPolicyDocument", "Invalid Policy: it is not JSON with an expiration.")
    if now > expiration:
        return Refusal(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    return credentials


def resign_policy(
    fields: Mapping[str, str], credentials: Credentials, *, region: str, service: str, now: datetime
) -> dict[str, str]:
    """The signing fields of a verified form, for other credentials and another place; the conditions are kept."""
    timestamp = now.strftime("%Y%m%dT%H%M%SZ")
    date = timestamp[:8]
    signing = {
        "x-amz-algorithm": SIGV4,
        "x-amz-credential": f"{credentials.access_key_id}/{date}/{region}/{service}/aws4_request",
        "x-amz-date": timestamp,
    }
    if credentials.session_token is not None:
        signing["x-amz-security-token"] = credentials.session_token
    document = _document(fields["policy"]) or {}
    kept = [condition for condition in document.get("conditions", []) if _field(condition) not in SIGNING_FIELDS]
    document["conditions"] = [*kept, *({name: value} for name, value in signing.items())]
    policy = base64.b64encode(json.dumps(document).encode()).decode()
    return {**signing, "policy": policy, "x-amz-signature": _signature(policy, credentials, date, region, service)}


def _signature(policy: str, credentials: Credentials, date: str, region: str, service: str) -> str:
    return signing_key(credentials, date, region, service).signature(policy)


def _document(policy: str) -> dict[str, Any] | None:
    try:
        document = json.loads(base64.b64decode(policy))
    except (ValueError, binascii.Error, RecursionError):
        return None
    return document if isinstance(document, dict) and isinstance(document.get("conditions", []), list) else None


def _field(condition: Any) -> str | None:
    """The field (lower case) that a condition is about."""
    if isinstance(condition, dict) and len(condition) == 1:
        return str(next(iter(condition))).lower()
    if isinstance(condition, list) and len(condition) == 3 and isinstance(condition[1], str):
        return condition[1].removeprefix("$").lower()
    return None
