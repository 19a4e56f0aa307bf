"""Which S3 operation a request is: the wire against S3's own service model.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
The model (botocore's service-2.json for s3) is handed in; what it says of method, path, query and required members
is the table. The most specific row that fits is the operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from denyproxy.exchange import DeniedCall, RequestHead
from denyproxy.s3.addressing import Address, parse_address
from denyproxy.s3.arn import partition_of_region
from denyproxy.s3.form import form_headers, form_key, is_form, parse_form
from denyproxy.s3.request import CopySource, S3Request
from denyproxy.s3.snapshot import AccessPointFacts, PolicySnapshot
from denyproxy.sigv4.credential import Credential, CredentialKind, parse_credential
from denyproxy.sigv4.wire import (
    SECRET_FIELDS,
    SIGNING_PARAMETERS,
    parse_query,
    percent_decode,
    split_target,
    without_secrets,
)

POST_OBJECT = "PostObject"
OPTIONS_PREFLIGHT = "OptionsPreflight"
WEBSITE_GET = "WebsiteEndpointGet"


@dataclass(frozen=True, slots=True)
class Route:
    """What the wire says of one operation."""

    operation: str
    method: str
    path: str
    """The URI's path in the model: `/`, `/{Bucket}`, `/{Bucket}/{Key+}`, or a literal one."""
    flags: tuple[tuple[str, str | None], ...] = ()
    """Query parameters that stand in the URI itself, with their value where it is fixed."""
    required_query: frozenset[str] = frozenset()
    required_headers: frozenset[str] = frozenset()
    endpoint: str | None = None
    """The kind of host, where the operation has one of its own."""
    deprecated: bool = False

    def fits(self, query: Mapping[str, str]) -> bool:
        """Are the flags there?"""
        for name, value in self.flags:  # noqa: SIM110 a loop, since all() of a generator costs twice as much
            if name not in query or value not in (None, query[name]):
                return False
        return True

    def complete(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        """Are the required members there?"""
        return self.required_query <= query.keys() and self.required_headers <= headers.keys()

    @property
    def weight(self) -> int:
        """How specific it is."""
        return len(self.flags) + len(self.required_query) + len(self.required_headers)


_SERVICE, _BUCKET, _OBJECT = "/", "/{Bucket}", "/{Bucket}/{Key+}"


@dataclass(frozen=True, slots=True)
class OperationTable:
    """All operations of a service model, by method and path."""

    routes: Mapping[tuple[str, str], tuple[Route, ...]] = field(default_factory=dict)

    @classmethod
    def from_service_model(cls, model: Mapping[str, Any]) -> OperationTable:
        """Build the table from the content of a service-2.json. Raises KeyError for anything else."""
        groups: dict[tuple[str, str], list[Route]] = {}
        for name, operation in model["operations"].items():
            route = _route(name, operation, model["shapes"])
            groups.setdefault((route.method, route.path), []).append(route)
        return cls({place: tuple(sorted(rows, key=_most_specific)) for place, rows in groups.items()})

    @property
    def operations(self) -> tuple[str, ...]:
        """The names of all operations."""
        return tuple(route.operation for rows in self.routes.values() for route in rows)

    def match_literal(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """The operation that has this very path, or None."""
        rows = self.routes.get((method, path), ()) if path != _SERVICE else ()
        return rows[0].operation if rows and rows[0].complete(query, headers) else None

    def match(
        self, method: str, path: str, endpoint: str, query: Mapping[str, str], headers: Mapping[str, str]
    ) -> str | None:
        """The operation of a request, or None.

        A sub-resource (`?policy`) decides even where a required member is missing: S3 answers that with an error of
        that operation, never by doing another one."""
        rows = [
            row
            for row in self.routes.get((method, path), ())
            # Most have a flag, and most requests have none.
            if (not row.flags or (row.flags[0][0] in query and row.fits(query))) and row.endpoint in (None, endpoint)
        ]
        fitting = [row for row in rows if row.complete(query, headers)]
        flagged = [row for row in rows if row.flags]
        if flagged and not any(row.flags for row in fitting):
            fitting = flagged
        if not fitting:
            return None
        if len(fitting) == 1:
            return fitting[0].operation
        best = [row for row in fitting if row.weight == fitting[0].weight and not row.deprecated] or fitting
        hint = query.get("x-id")
        return next((row.operation for row in best if row.operation == hint), best[0].operation)


def _most_specific(route: Route) -> tuple[bool, int, bool, str]:
    return (route.endpoint is None, -route.weight, route.deprecated, route.operation)


def _route(name: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    path, _, query = operation["http"]["requestUri"].partition("?")
    flags = []
    for part in query.split("&") if query else ():
        flag, fixed, value = part.partition("=")
        flags.append((flag, value if fixed else None))
    members = shapes[operation["input"]["shape"]] if "input" in operation else {}
    required = [members["members"][member] for member in members.get("required", ())]
    located = [(member.get("location"), member.get("locationName", "")) for member in required]
    static = operation.get("staticContextParams", {})
    return Route(
        name,
        operation["http"]["method"],
        path,
        tuple(flags),
        frozenset(place for location, place in located if location == "querystring"),
        frozenset(place.lower() for location, place in located if location == "header"),
        "express-control" if static.get("UseS3ExpressControlEndpoint", {}).get("value") and path == _SERVICE else None,
        bool(operation.get("deprecated", False)),
    )


def identify(
    head: RequestHead,
    *,
    table: OperationTable,
    base_domains: Sequence[str] = (),
    body: bytes | None = None,
    time: datetime | None = None,
    access_points: Mapping[str, AccessPointFacts] | None = None,
    operation: str | None = None,
    region: str | None = None,
    credential: Credential | None = None,
) -> S3Request:
    """A request head in S3's own terms. Never raises on what a client may send.

    `time` is when S3 evaluated it, `access_points` those of the snapshot (by ARN and by alias); `operation` and
    `region`, where stated, take precedence over what the wire says. `credential`: that of the head, where it has been
    read already."""
    host, path, raw_query = split_target(head)
    query = parse_query(raw_query)
    credential = credential or parse_credential(head)
    address = _resolved(parse_address(host, path, base_domains), access_points or {})
    headers = _headers(head, query if credential.kind is CredentialKind.QUERY else ())
    body = b"" if body is None and _has_no_body(head) else body
    first = dict(reversed(query))
    name = table.match_literal(head.method, path, first, headers)
    if name is not None:
        address = address._replace(bucket=None, key=None, access_point=None)
    else:
        name = _name(head.method, address, first, headers, table)
    key = address.key
    if name == POST_OBJECT:
        fields = parse_form(body, head.header("content-type"))
        if fields is not None:
            key, headers = form_key(fields), {**headers, **form_headers(fields)}
    region = region or address.region or credential.region or ("us-east-1" if address.global_endpoint else None)
    source = headers.get("x-amz-copy-source")
    bucket = address.bucket
    if address.access_point is not None and access_points is not None and address.access_point in access_points:
        bucket = access_points[address.access_point].bucket
    return S3Request(
        operation=operation or name,
        method=head.method,
        bucket=bucket,
        key=key,
        access_point=address.access_point,
        region=region,
        partition=address.partition or partition_of_region(region),
        endpoint=address.endpoint,
        global_endpoint=address.global_endpoint,
        alias=address.alias,
        vpc_endpoint=address.vpc_endpoint,
        query=tuple([(name, "" if name.lower() in SECRET_FIELDS else value) for name, value in query]),
        headers=headers,
        copy_source=None if source is None else parse_copy_source(source),
        body=body,
        time=time,
        signed_time=credential.signed_at,
        signed_headers=None if credential.signed_headers is None else frozenset(credential.signed_headers),
        sent_headers=frozenset([name.lower() for name, _ in head.headers]),
    )


def identify_call(
    call: DeniedCall,
    snapshot: PolicySnapshot,
    *,
    table: OperationTable,
    base_domains: Sequence[str] = (),
    credential: Credential | None = None,
) -> S3Request:
    """The request that S3 saw in a denied call; what the call declares takes precedence."""
    request = identify(
        call.upstream_request,
        table=table,
        base_domains=base_domains,
        body=call.body,
        time=call.received,
        access_points=snapshot.access_points,
        operation=call.declared.operation,
        region=call.declared.region,
        credential=credential,
    )
    if call.declared.action is not None:
        request = replace(request, operation=None)
    return request if request.signed_time is not None else replace(request, signed_time=call.sent)


def parse_copy_source(value: str) -> CopySource | None:
    """A decoded x-amz-copy-source: `[/]bucket/key[?versionId=id]`, or the ARN of an access point with `/object/key`.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html"""
    place, _, version = value.strip().partition("?versionId=")
    place = percent_decode(place).removeprefix("/")
    if place.startswith("arn:"):
        bucket, found, key = place.partition("/object/")
        if not found:
            return None
    else:
        bucket, _, key = place.partition("/")
    return CopySource(bucket, key, percent_decode(version) or None) if bucket and key else None


def _name(
    method: str, address: Address, query: Mapping[str, str], headers: Mapping[str, str], table: OperationTable
) -> str | None:
    if method == "OPTIONS":
        return OPTIONS_PREFLIGHT
    if address.endpoint == "website":
        return WEBSITE_GET if method in ("GET", "HEAD") else None
    if address.endpoint in ("control", "outposts"):
        return None
    named = address.bucket is not None or address.access_point is not None or address.alias is not None
    shape = (_OBJECT if address.key is not None else _BUCKET) if named else _SERVICE
    found = table.match(method, shape, address.endpoint, query, headers)
    if found is None and method == "POST" and shape == _BUCKET and is_form(headers.get("content-type")):
        return POST_OBJECT
    return found


_ALIAS_SUFFIXES = ("-s3alias", "--ol-s3")


def _resolved(address: Address, access_points: Mapping[str, AccessPointFacts]) -> Address:
    """Put the access point's ARN in place of its alias, where the alias is known."""
    bucket = address.bucket
    alias = address.alias or (bucket if bucket is not None and bucket.endswith(_ALIAS_SUFFIXES) else None)
    if alias is None:
        return address
    facts = access_points.get(alias)
    if facts is None:
        return address._replace(bucket=None, alias=alias)
    endpoint = "object-lambda" if ":s3-object-lambda:" in facts.arn else "access-point"
    return address._replace(bucket=None, alias=None, access_point=facts.arn, endpoint=endpoint)


def _headers(head: RequestHead, presigned: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Header fields by lower-case name, and the x-amz-* that a presigned URL carries; secrets left out."""
    headers: dict[str, str] = {}
    for name, value in head.headers:
        name = name.lower()
        if name not in SECRET_FIELDS:
            value = without_secrets(value) if name == "referer" else value
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    for name, value in presigned:
        name = name.lower()
        if name.startswith("x-amz-") and name not in SIGNING_PARAMETERS and name not in SECRET_FIELDS:
            headers.setdefault(name, value)
    return headers


def _has_no_body(head: RequestHead) -> bool:
    length = head.header("content-length")
    return length.strip() == "0" if length is not None else head.header("transfer-encoding") is None
