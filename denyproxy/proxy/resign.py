"""The resign mode: verify what a client signed, and sign it again for the upstream.

Nothing is signed that was not verified; what is not signed travels on unsigned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import NamedTuple

from denyproxy.exchange import RequestHead, Resigned
from denyproxy.proxy.access_keys import access_key_id, is_signed, may_be_signed_form
from denyproxy.proxy.aws_hosts import LONGEST_HOST, AwsHost, aws_hosts
from denyproxy.proxy.bodies import RequestBody
from denyproxy.proxy.endpoints import DEFAULT_REGION, Addressed, Endpoint, Endpoints, Regions, addressed, bucket_in_host
from denyproxy.proxy.errors import CannotRelay, Refused, TryAgain, UpstreamUnreachable
from denyproxy.proxy.forms import SignedForm, UnreadableForm, signed_form
from denyproxy.proxy.http1 import ReceivedRequest, ReceivedResponse
from denyproxy.proxy.modes import UpstreamMode
from denyproxy.proxy.redirects import STATUSES, bucket_region, redirect_of
from denyproxy.proxy.resigned_heads import headers_for, signed_again
from denyproxy.proxy.signed_chunks import SignedChunks
from denyproxy.proxy.signers import ClientKey, Signer, Signers
from denyproxy.proxy.upstream import Origin, Send, UpstreamRequest
from denyproxy.remembered import Remembered
from denyproxy.sigv4.canonical import EMPTY_PAYLOAD
from denyproxy.sigv4.chunked import Rechunker
from denyproxy.sigv4.credentials import Credentials
from denyproxy.sigv4.diagnosis import changed_line
from denyproxy.sigv4.fields import Fields
from denyproxy.sigv4.refusals import Refusal
from denyproxy.sigv4.signing import sign
from denyproxy.sigv4.verification import verify, verify_header
from denyproxy.sigv4.verified import Verified

_MOST_REROUTES = 2
_OF_NO_BUCKET = (
    "Access points and the other services of S3 take no requests that are signed with Signature Version 2, which does "
    "not cover the Host: sign with Version 4. This is denyproxy's own refusal."
)


@dataclass(frozen=True, slots=True)
class ResignOptions:
    """How the resign mode reaches S3."""

    aws: bool = True
    """The upstream is AWS, where each bucket has a region."""
    region: str | None = None
    """Where requests go first; None: to the region that the client signed for."""
    base_domains: tuple[str, ...] = ("localhost",)
    """Lower case."""


class _Named(NamedTuple):
    """What a Host field names."""

    direct: AwsHost | None
    """The host of AWS: a client that names one means that one."""
    bucket: str | None


@dataclass(slots=True)
class _Call:
    """A request, what signs it again, and where it goes."""

    request: ReceivedRequest
    body: RequestBody | None
    direct: AwsHost | None
    address: Addressed
    named: Fields | None = None
    """Its fields, if it is signed in an Authorization field of Version 4."""
    verified: Verified | None = None
    """None: not signed."""
    form: SignedForm | None = None
    """The browser-based upload that is signed in its body instead."""
    signer: Signer | None = None
    client: ClientKey | None = None
    region: str = DEFAULT_REGION
    attempt: int = 0


@dataclass(slots=True)
class ResignedRequest(UpstreamRequest):
    """A request signed again, and how it came about."""

    call: _Call | None = None

    @property
    def resigned(self) -> Resigned | None:
        """Whose credentials signed it, if not the client's own."""
        call = self.call
        if call is None or call.signer is None or call.client is None:
            return None
        key_id = call.client.credentials.access_key_id
        if call.signer.credentials.access_key_id == key_id:
            return None
        return Resigned(call.signer.principal, call.client.principal, key_id)


@lru_cache(maxsize=1)
def _moment(second: int) -> datetime:
    """Many requests share a second."""
    return datetime.fromtimestamp(second, UTC)


class Resign:
    """Verifies with a table of access keys and signs again."""

    name = "resign"
    reroutes = STATUSES

    def __init__(
        self,
        keys: Mapping[str, ClientKey],
        signers: Signers,
        endpoints: Endpoints,
        send: Send,
        *,
        options: ResignOptions = ResignOptions(),
        otherwise: UpstreamMode | None = None,
        clock: Callable[[], datetime] = lambda: _moment(int(time())),
    ) -> None:
        """`otherwise`: the mode of requests that are not signed with a key of the table; None: those that are signed
        are refused."""
        self._keys = keys
        self._signers = signers
        self._endpoints = endpoints
        self._send = send
        self._options = options
        self._otherwise = otherwise
        self._clock = clock
        self._regions = Regions()
        self._named = Remembered(self._names, size=LONGEST_HOST + len(":65535"))

    def accepts(self, request: ReceivedRequest) -> bool:
        """Every origin-form request, if there is no other mode for it; else those with a known access key, and forms,
        whose key can be anyone's as yet."""
        if not request.target.startswith("/"):
            return False
        return self._otherwise is None or access_key_id(request) in self._keys or may_be_signed_form(request)

    async def prepare(self, request: ReceivedRequest, body: RequestBody | None) -> UpstreamRequest:
        """The request with another signature. Raises Refused, TryAgain."""
        named = request.named()
        fields: Fields | None = named
        host, authorization = named.said[:2]
        direct, in_host = self._named[host or ""]
        target = request.target
        address = addressed(target, in_host) if direct is None else Addressed(None, "", target)
        now, found = self._clock(), None
        if authorization is not None:
            found = verify_header(request.method, target, named, self._credentials, now)
        elif not is_signed(request):
            return await self._unsigned(request, body, _Call(request, body, direct, address))
        if found is None:
            fields, found = None, verify(request.head, self._credentials, now, in_host)
        if isinstance(found, Refusal):
            key = self._keys.get(access_key_id(request) or "")
            element = None
            if found.code == "SignatureDoesNotMatch" and key is not None:
                element = changed_line(request.head, key.credentials, now, in_host)
            raise Refused(found.message, status=found.status, code=found.code, fields=found.fields, element=element)
        if direct is not None and not direct.of_buckets and found.key is None:
            raise Refused(_OF_NO_BUCKET, status=501, code="NotImplemented")
        client = self._keys[found.credentials.access_key_id]
        signer = self._signers.signer(client)
        call = _Call(request, body, direct, address, fields, found, None, signer, client)
        if body is not None:
            return await self._routed(call)
        call.region = self._region(call)
        return self._outgoing(call, now)

    def _names(self, field: str) -> _Named:
        """What a Host field names. Raises CannotRelay."""
        host = field.partition(":")[0].lower()
        if len(host) > LONGEST_HOST:
            raise CannotRelay(f"The Host header is longer than a name can be ({LONGEST_HOST} characters).")
        direct = aws_hosts[host] if self._options.aws else None
        if direct is not None:
            return _Named(direct, direct.bucket)
        return _Named(None, bucket_in_host(host, self._options.base_domains))

    async def _unsigned(self, request: ReceivedRequest, body: RequestBody | None, call: _Call) -> UpstreamRequest:
        """A request whose head is not signed: a form that is, or one that travels on as it is."""
        try:
            form = await signed_form(request.head, body, self._credentials, self._clock())
        except (UnreadableForm, Refused) as error:
            if self._otherwise is None or (isinstance(error, Refused) and error.code != "InvalidAccessKeyId"):
                raise
            form = None
        if form is not None:
            call.form, call.client = form, self._keys[form.credentials.access_key_id]
            call.signer = self._signers.signer(call.client)
        elif self._otherwise is not None:
            return await self._otherwise.prepare(request, body)
        return await self._routed(call)

    def _credentials(self, access_key_id: str) -> Credentials | None:
        key = self._keys.get(access_key_id)
        return key.credentials if key is not None else None

    async def _routed(self, call: _Call) -> ResignedRequest:
        """The request for where its bucket is, as far as is known."""
        call.region = self._region(call)
        bucket = call.address.bucket
        unknown = self._options.aws and bucket is not None and bucket not in self._regions
        if unknown and call.body is not None and not _creates_bucket(call):
            call.region = await self._learnt(call, call.region)
        return self._outgoing(call, self._clock())

    def _region(self, call: _Call) -> str:
        """Where a request goes, as far as is known."""
        if call.direct is not None:
            first = call.direct.region
        elif (learnt := self._regions.get(call.address.bucket)) is not None:
            return learnt
        else:
            first = self._options.region
        key = call.verified.key if call.verified is not None else None
        return first or (key.region if key is not None else None) or DEFAULT_REGION

    async def _learnt(self, call: _Call, region: str) -> str:
        """The region of a bucket, asked before a body is on its way that could be read only once."""
        bucket = call.address.bucket
        endpoint = self._endpoint(call, region)
        head = RequestHead("HEAD", endpoint.prefix or "/", (("Host", endpoint.host),))
        if call.signer is not None:
            head = self._sign(head, call.signer, endpoint, EMPTY_PAYLOAD)
        response = await self._send(UpstreamRequest(endpoint.origin, head))
        await response.close()
        found = bucket_region(response.head)
        if found is not None:
            self._regions.learn(bucket, found)
        return found or region

    async def reroute(
        self, outgoing: UpstreamRequest, response: ReceivedResponse, error: bytes
    ) -> UpstreamRequest | None:
        """The request for where the upstream sends it; None: it does not. Raises ProxyError if it cannot go there.

        `error`: the start of the response's body."""
        if not isinstance(outgoing, ResignedRequest) or outgoing.call is None:
            return None
        call, to = outgoing.call, redirect_of(response, error)
        region = to.region or call.region
        elsewhere = to.origin is not None and to.origin != _place(outgoing.origin)
        if region == call.region and not elsewhere:
            return None
        if region == call.region or call.attempt >= _MOST_REROUTES:
            raise UpstreamUnreachable("The upstream redirects this request to a place that denyproxy cannot follow to.")
        if call.direct is None:
            self._regions.learn(call.address.bucket, region)
        if call.body is not None and call.body.started:
            raise TryAgain(
                f"The bucket is in {region}, as denyproxy has learnt just now: please send the request again."
            )
        call.region, call.attempt = region, call.attempt + 1
        return self._outgoing(call, self._clock())

    def _outgoing(self, call: _Call, now: datetime) -> ResignedRequest:
        """The request as it goes to the bucket's endpoint in its region."""
        endpoint = self._endpoint(call, call.region)
        target, request, body = call.address.at(endpoint), call.request, call.body
        if call.verified is not None and call.signer is not None:
            head, chain = signed_again(
                request, call.named, call.verified, call.signer.credentials, target, endpoint, now
            )
            if body is not None and call.verified.payload.startswith("STREAMING-"):
                body.rewrite(SignedChunks(Rechunker(call.verified, chain)))
            return ResignedRequest(endpoint.origin, head, body, call)
        plain = RequestHead(request.method, target, headers_for(endpoint.host, request.head.headers))
        if call.form is not None and call.signer is not None:
            signing = call.signer.credentials
            plain = call.form.resign(plain, signing, region=endpoint.region, service=endpoint.service, now=now)
        return ResignedRequest(endpoint.origin, plain, body, call)

    def _endpoint(self, call: _Call, region: str) -> Endpoint:
        """Where the bucket is served."""
        if call.direct is not None:
            host = call.direct.within(region)
            key = call.verified.key if call.verified is not None else None
            service = key.service if key is not None else "s3"
            return Endpoint(Origin("https", host, 443, "aws"), host, "", region, service)
        return self._endpoints(call.address.bucket, region)

    def _sign(self, head: RequestHead, signer: Signer, endpoint: Endpoint, payload: str) -> RequestHead:
        return sign(
            head,
            signer.credentials,
            region=endpoint.region,
            service=endpoint.service,
            now=self._clock(),
            payload=payload,
        ).head


def _creates_bucket(call: _Call) -> bool:
    return call.request.method == "PUT" and call.address.rest in ("", "/")


def _place(origin: Origin) -> tuple[str, str, int]:
    return origin.scheme, origin.host, origin.port
