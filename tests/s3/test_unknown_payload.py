"""A client that does not state its payload's hash (curl) may have signed another one than S3 calculated."""

from __future__ import annotations

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.s3.error import S3Error, kind_of_403
from denyproxy.s3.operation import identify
from denyproxy.s3.request import Caller, KnownBy
from denyproxy.service_model import s3_operations

CALLER = Caller(Principal(PrincipalType.UNKNOWN), KnownBy.NONE, access_key_id="AKIAIOSFODNN7EXAMPLE")
HASH = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260501/us-east-1/s3/aws4_request, "
    "SignedHeaders={signed}, Signature=00"
)


@pytest.mark.parametrize(("stated", "element"), [(None, None), (HASH, "secret")])
def test_the_secret_is_blamed_only_if_the_payload_hash_is_known(stated: str | None, element: str | None) -> None:
    headers = {"host": "s3.amazonaws.com", "x-amz-content-sha256": stated, "x-amz-date": "20260501T120000Z"}
    sent = {name: value for name, value in headers.items() if value is not None}
    signed = ";".join(sent)
    head = RequestHead("PUT", "/b/k", (*sent.items(), ("Authorization", AUTHORIZATION.format(signed=signed))))
    lines = [f"{name}:{value}" for name, value in sent.items()]
    theirs = "\n".join(["PUT", "/b/k", "", *lines, "", signed, HASH])
    error = S3Error(403, "SignatureDoesNotMatch", canonical_request=theirs)
    assert kind_of_403(error, identify(head, table=s3_operations()), CALLER, head).element == element
