"""The line that was changed on the way is named where that is established, and nothing is named where it is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials

from denyproxy.exchange import RequestHead
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.diagnosis import changed_line
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.verification import verify
from tests.sigv4.test_signing import again
from tests.sigv4.test_verification import GET, KEY, LIST, PRESIGNED, PUT, START, changed, lookup


def signed_over(name: str, value: str) -> RequestHead:
    """A request whose signature covers a header field that this module's `sign` leaves out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda *_: START.replace(tzinfo=None), raising=False)
        request = AWSRequest("GET", "http://localhost:9090/b/k", headers={name: value})
        S3SigV4Auth(BotoCredentials(KEY.access_key_id, KEY.secret_access_key), "s3", "us-east-1").add_auth(request)
    return RequestHead("GET", "/b/k", (("Host", "localhost:9090"), *request.headers.items()))


def for_host(host: str) -> RequestHead:
    return again(RequestHead("GET", "/b/k", (("Host", host),)), KEY)


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (changed(GET, "Host", "127.0.0.1:9090"), None),
        (changed(for_host("localhost:9090"), "Host", "127.0.0.1:9090"), "header:host"),
        (changed(for_host("h:9090"), "Host", "h"), None),
        (changed(for_host("h"), "Host", "h:9090"), "header:host"),
        (changed(for_host("b.s3.eu-west-1.amazonaws.com"), "Host", "h:9090"), "header:host"),
        (replace(GET, method="HEAD"), "method"),
        (replace(LIST, target=LIST.target + "&cachebuster=1"), "query:cachebuster"),
        (replace(PRESIGNED, target=PRESIGNED.target + "&utm_source=x"), "query:utm_source"),
        (changed(GET, "Range", None), "header:range"),
        (changed(PUT, "x-amz-storage-class", "STANDARD"), None),
        (replace(PUT, target="/test%2524file.text"), "path"),
        (replace(GET, target="/test.txt/"), "path"),
        (changed(signed_over("Accept-Encoding", "identity"), "Accept-Encoding", "gzip"), "header:accept-encoding"),
        (changed(signed_over("Content-Type", "text/x"), "Content-Type", "text/y"), None),
    ],
)
def test_the_line(head: RequestHead, line: str | None) -> None:
    refusal = verify(head, lookup, START)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "SignatureDoesNotMatch"
    assert changed_line(head, KEY, START) == line


@pytest.mark.parametrize("head", [GET, PUT, LIST, PRESIGNED])
def test_a_wrong_secret_is_no_line(head: RequestHead) -> None:
    assert changed_line(head, Credentials(KEY.access_key_id, "another"), START) is None


def test_a_long_head_is_not_diagnosed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to 64 verifications of 100 kB took ten seconds, in which nobody else was served."""
    verified: list[RequestHead] = []

    def counted(head: RequestHead, *arguments: Any) -> Any:
        verified.append(head)
        return verify(head, *arguments)

    monkeypatch.setattr("denyproxy.sigv4.diagnosis.verify", counted)
    plain = replace(GET, headers=tuple(field for field in GET.headers if field[0] != "Range"))
    size = len(plain.target) + sum(len(name) + len(value) for name, value in plain.headers)
    for target, fields in (("/test.txt?x=", ()), ("/test.txt", (("Filler", ""),))):
        short = 8192 - size - len(target) + len("/test.txt") - sum(len(name) for name, _ in fields)
        for length, tried in ((short, True), (short + 1, False)):
            filler = "a" * length
            head = replace(
                plain,
                target=target + filler if not fields else target,
                headers=(*plain.headers, *((name, filler) for name, _ in fields)),
            )
            verified.clear()
            assert changed_line(head, KEY, START) == ("header:range" if tried else None)
            assert 0 < len(verified) <= 64 if tried else not verified
