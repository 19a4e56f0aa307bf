"""Which request bodies are kept."""

from __future__ import annotations

import pytest

from denyproxy.exchange import RequestHead
from denyproxy.proxy.bodies import Keep, what_to_keep

LIMIT = 100_000
FORM = ("Content-Type", "multipart/form-data; boundary=x")


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("POST", "/b?delete", (), Keep(LIMIT)),
        ("POST", "/?x-id=DeleteObjects&delete=", (), Keep(LIMIT)),
        ("PUT", "/b?policy", (), Keep(LIMIT)),
        ("PUT", "/b?acl", (), Keep(LIMIT)),
        ("PUT", "/b/k?acl&versionId=1", (), Keep(LIMIT)),
        ("PUT", "/b/k?tagging", (), Keep(LIMIT)),
        ("PUT", "/b?publicAccessBlock", (), Keep(LIMIT)),
        ("PUT", "/b/k?retention", (), Keep(LIMIT)),
        ("PUT", "/b/k?legal-hold", (), Keep(LIMIT)),
        ("PUT", "/b?object-lock", (), Keep(LIMIT)),
        ("PUT", "/b?ownershipControls", (), Keep(LIMIT)),
        ("POST", "/b", (FORM,), Keep(LIMIT, prefix=True)),
        ("PUT", "/b", (), Keep(8192)),
        ("PUT", "/b/", (), Keep(8192)),
        ("PUT", "/", (), Keep(8192)),
        ("PUT", "/b/k", (), Keep()),
        ("PUT", "/b/k?partNumber=1&uploadId=policy", (), Keep()),
        ("PUT", "/b/policy", (), Keep()),
        ("PUT", "/b?versioning", (), Keep()),
        ("POST", "/b/k?uploadId=x", (), Keep()),
        ("POST", "/b/k?select", (), Keep()),
        ("GET", "/b?policy", (), Keep()),
        ("DELETE", "/b?policy", (), Keep()),
    ],
)
def test_what_is_kept(method: str, target: str, headers: tuple[tuple[str, str], ...], expected: Keep) -> None:
    """Decided from the head: the bodies that authorization depends on, and no object's."""
    assert what_to_keep(RequestHead(method, target, headers), LIMIT) == expected
