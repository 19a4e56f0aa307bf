"""Bodies in signed chunks: AWS's own examples, cut anywhere, and every way to tamper with them."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.sigv4.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkError, Rechunker
from denyproxy.sigv4.signing import SigningKey
from tests.took import took


@dataclass(frozen=True)
class Chain:
    payload: str
    signature: str
    key: SigningKey
    timestamp: str = "20130524T000000Z"


def key(secret: str, date: str = "20130524", region: str = "us-east-1") -> SigningKey:
    made = b"AWS4" + secret.encode()
    for part in (date, region, "s3", "aws4_request"):
        made = hmac.digest(made, part.encode(), "sha256")
    return SigningKey(made, date, region, "s3")


THEIRS = key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
OUR_KEY = key("another", "20261124", "eu-west-1")
OURS = Chain(SIGNED, "0" * 64, OUR_KEY, "20261124T010203Z")

# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
SEED = Chain(SIGNED, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", THEIRS)
BODY = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a" * 65536
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a" * 1024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
TRAILER_SEED = Chain(SIGNED_TRAILER, "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", THEIRS)
TRAILER_BODY = (
    b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
    + b"a" * 65536
    + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
    + b"a" * 1024
    + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    + b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
UNSIGNED = Chain(UNSIGNED_TRAILER, "", THEIRS)
UNSIGNED_BODY = b"5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"


def through(chain: Chain, body: bytes, places: tuple[int, ...] = (), ours: Chain = OURS) -> bytes:
    rechunker = Rechunker(chain, ours)
    edges = sorted({0, len(body), *(min(place, len(body)) for place in places)})
    out = b"".join(rechunker.feed(body[start:end]) for start, end in itertools.pairwise(edges))
    return out + rechunker.finish()


@pytest.mark.parametrize(("chain", "body"), [(SEED, BODY), (TRAILER_SEED, TRAILER_BODY), (UNSIGNED, UNSIGNED_BODY)])
def test_awss_examples_verify_and_come_out_as_they_went_in_under_the_same_credentials(
    chain: Chain, body: bytes
) -> None:
    assert through(chain, body, ours=chain) == body


@pytest.mark.parametrize(("chain", "body"), [(SEED, BODY), (TRAILER_SEED, TRAILER_BODY)])
def test_what_comes_out_is_signed_by_us_and_as_long(chain: Chain, body: bytes) -> None:
    """As long: the Content-Length that was signed holds. Signed by us: our own chain verifies it, theirs does not."""
    out = through(chain, body)
    assert len(out) == len(body)
    again = replace(OURS, payload=chain.payload)
    assert through(again, out, ours=chain) == body
    with pytest.raises(ChunkError, match="SignatureDoesNotMatch"):
        through(chain, out)


def test_the_first_signature_of_ours_by_hand() -> None:
    empty, digest = hashlib.sha256().hexdigest(), hashlib.sha256(b"a" * 65536).hexdigest()
    when = f"{OURS.timestamp}\n20261124/eu-west-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256-PAYLOAD\n{when}\n{OURS.signature}\n{empty}\n{digest}"
    expected = hmac.new(OUR_KEY.derived, text.encode(), "sha256").hexdigest().encode()
    assert through(SEED, BODY).startswith(b"10000;chunk-signature=" + expected + b"\r\naaaa")


@given(st.lists(st.integers(0, len(TRAILER_BODY)), max_size=20))
def test_cut_anywhere(places: list[int]) -> None:
    tail = tuple(len(TRAILER_BODY) - place % 400 for place in places)
    assert through(TRAILER_SEED, TRAILER_BODY, (*places, *tail), ours=TRAILER_SEED) == TRAILER_BODY
    assert through(UNSIGNED, UNSIGNED_BODY, tuple(places)) == UNSIGNED_BODY


def test_every_byte_apart() -> None:
    assert through(UNSIGNED, UNSIGNED_BODY, tuple(range(len(UNSIGNED_BODY)))) == UNSIGNED_BODY


def test_no_byte_of_a_chunk_goes_out_before_it_is_verified() -> None:
    rechunker = Rechunker(SEED, OURS)
    assert rechunker.feed(BODY[: 88 + 65535]) == b""
    assert len(rechunker.feed(BODY[88 + 65535 : 88 + 65536])) == 88 + 65536


@given(st.integers(0, len(TRAILER_BODY) - 1), st.integers(1, 255))
def test_no_changed_byte_gets_through(place: int, change: int) -> None:
    """Whatever is changed, the body is refused, or it says the same."""
    changed = bytearray(TRAILER_BODY)
    changed[place] ^= change
    try:
        out = through(TRAILER_SEED, bytes(changed), ours=TRAILER_SEED)
    except ChunkError:
        return
    assert out.lower().split() == TRAILER_BODY.lower().split()


@pytest.mark.parametrize("length", [0, 1, 87, 100, 60_000, len(BODY) - 1, len(BODY) - 2, len(BODY) - 3])
def test_a_body_that_ends_too_soon(length: int) -> None:
    with pytest.raises(ChunkError) as caught:
        through(SEED, BODY[:length])
    assert caught.value.code == "IncompleteBody"


LAST = len(BODY) - len(b"0;chunk-signature=") - 64 - 4


@pytest.mark.parametrize(
    ("chain", "body", "code"),
    [
        (SEED, BODY[LAST:] + BODY, "SignatureDoesNotMatch"),
        (SEED, BODY[88 + 65536 + 2 : LAST] + BODY[: 88 + 65536 + 2] + BODY[LAST:], "SignatureDoesNotMatch"),
        (SEED, BODY[: 88 + 65536 + 2] + BODY[LAST:], "SignatureDoesNotMatch"),
        (SEED, BODY + b"x", "InvalidRequest"),
        (SEED, BODY[:-2] + b"x-amz-meta-a:b\r\n\r\n", "MalformedTrailerError"),
        (SEED, UNSIGNED_BODY, "InvalidRequest"),
        (UNSIGNED, BODY, "InvalidRequest"),
        (SEED, b"+" + BODY, "InvalidRequest"),
        (SEED, b"0x" + BODY, "InvalidRequest"),
        (SEED, b" " + BODY, "InvalidRequest"),
        (SEED, b"1" * 300, "InvalidRequest"),
        (SEED, b"1000001;chunk-signature=" + b"0" * 64 + b"\r\n", "EntityTooLarge"),
        (UNSIGNED, b"5\r\nhello!\r\n", "InvalidRequest"),
        (UNSIGNED, b"0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        (UNSIGNED, b"0\r\n" + b"a:b\r\n" * 10_000, "MalformedTrailerError"),
        (UNSIGNED, b"0\r\na:" + b"b" * 20_000, "MalformedTrailerError"),
        (TRAILER_SEED, TRAILER_BODY.replace(b"sOO8/Q==", b"sOO8/Q=="[::-1]), "SignatureDoesNotMatch"),
        (TRAILER_SEED, TRAILER_BODY.replace(b"x-amz-checksum-crc32c:sOO8/Q==\r\n", b""), "SignatureDoesNotMatch"),
        (TRAILER_SEED, TRAILER_BODY[: TRAILER_BODY.index(b"x-amz-trailer")] + b"\r\n", "IncompleteBody"),
        (TRAILER_SEED, TRAILER_BODY[: TRAILER_BODY.index(b"x-amz-checksum")] + b"\r\n", "MalformedTrailerError"),
    ],
)
def test_tampered_bodies(chain: Chain, body: bytes, code: str) -> None:
    """Chunks first, in another order, left out, or too many; framing that can be read in two ways; another trailer."""
    with pytest.raises(ChunkError) as caught:
        through(chain, body)
    assert caught.value.code == code


def test_only_bodies_in_chunks() -> None:
    with pytest.raises(ValueError, match="UNSIGNED-PAYLOAD"):
        Rechunker(replace(SEED, payload="UNSIGNED-PAYLOAD"), OURS)


def test_tiny_chunks_cost_what_their_number_is() -> None:
    """Each step copied the rest: eight times as much took fifty times as long."""

    def work(size: int) -> Callable[[], object]:
        body = b"1\r\nX\r\n" * (size // 6)
        return lambda: Rechunker(UNSIGNED, OURS).feed(body)

    small = min(took(work(128 * 1024)) for _ in range(3))
    assert took(work(1024 * 1024)) < 24 * small


@pytest.mark.parametrize("places", [(), (1, 2, 3), tuple(range(0, len(UNSIGNED_BODY), 3))])
def test_lines_that_are_just_too_long(places: tuple[int, ...]) -> None:
    for length, code in ((15, "IncompleteBody"), (16, "InvalidRequest")):
        with pytest.raises(ChunkError) as caught:
            through(UNSIGNED, b"1" * length + b"\r\n", places)
        assert caught.value.code == code
