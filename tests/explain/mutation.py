"""Denied exchanges as clients and servers of all kinds make them, and then damaged; one seed, one exchange.

Secrets are planted where secrets stand. Mutations never rename the field that holds one, nor move one out of it:
what a client writes into a place that is no secret's, nobody can recognise.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from random import Random
from urllib.parse import quote
from xml.sax.saxutils import escape

from denyproxy.exchange import Declared, DeniedCall, Headers, RequestHead, ResponseHead
from denyproxy.explain.presentation import Disclosure, Presentation
from denyproxy.explain.scenario import Scenario
from denyproxy.iam.document import PolicyList
from denyproxy.s3.snapshot import PolicySnapshot
from tests.explain.test_explainer import ALICE, ALLOW_ALL, BUCKET, READ_ONLY, VPCE_DENY, policies, world
from tests.explain.test_scenarios import SCENARIOS

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
SIGNATURE = "5ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e75ec7e7aaaa"
SIGNATURE_2 = "Planted2Signature1234567890="
TOKEN = "PlantedSessionToken/with+signs=="
CUSTOMER_KEY = "UGxhbnRlZEN1c3RvbWVyS2V5MTIzNDU2Nzg5MDEyMzQ="
COOKIE = "session=PlantedCookie0123456789"
BEARER = "PlantedBearer0123456789"
SECRETS = (SIGNATURE, SIGNATURE_2, quote(SIGNATURE_2), TOKEN, quote(TOKEN, safe=""), CUSTOMER_KEY, COOKIE, BEARER)

HOSTS = (
    "s3.us-east-1.amazonaws.com",
    "s3.amazonaws.com",
    "b.s3.eu-central-1.amazonaws.com",
    "my.dotted.bucket.s3.dualstack.eu-west-1.amazonaws.com:443",
    "ap-1-111122223333.s3-accesspoint.us-east-2.amazonaws.com",
    "ap-1-111122223333.accesspoint.vpce-0a1b2c3d-x5.s3.eu-west-1.vpce.amazonaws.com",
    "bucket.vpce-0a1b2c3d-x5.s3.eu-west-1.vpce.amazonaws.com",
    "b-s3alias.s3.us-west-2.amazonaws.com",
    "b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com",
    "b.s3-website.eu-central-1.amazonaws.com",
    "b.s3-accelerate.amazonaws.com",
    "mrap.accesspoint.s3-global.amazonaws.com",
    "111122223333.s3-control.us-east-1.amazonaws.com",
    "lambda-111122223333.s3-object-lambda.us-east-1.amazonaws.com",
    "localhost:9000",
    "[::1]:8333",
    "",
)
KEYS = (
    "k",
    "",
    "dir/key.txt",
    "/leading//and/../dots/.",
    "ü/€/😀",
    "sp ace+plus%20",
    'say "hello" because no identity-based policy allows the s3:GetObject action',
    "line\r\nX-Injected: 1",
    "<Key>&amp;</Key>",
    "${aws:username}/*?",
    "\udc80\udcff",
    "x" * 1024,
)
PARAMETERS = (
    *("acl", "policy", "tagging", "delete", "uploads", "versions", "versioning", "retention", "legal-hold", "torrent"),
    *("lifecycle", "publicAccessBlock", "attributes", "restore", "select", "location", "website", "notification"),
    *("uploadId=u-1", "partNumber=1", "versionId=null", "versionId=3HL4kqtJvjVBH40Nrjfkd", "list-type=2"),
    *("prefix=home%2Falice%2F", "delimiter=%2F", "max-keys=1000", "max-keys=-1", "start-after=%FF", "x-id=GetObject"),
    *("response-content-type=a%0Ab", "prefix", "=", "partNumber=99999999999999999999", "id=1", "Expires=x"),
)
HEADERS: Headers = (
    ("x-amz-acl", "public-read"),
    ("x-amz-grant-full-control", 'id="79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"'),
    ("x-amz-copy-source", "/source-bkt/source%20key?versionId=v1"),
    ("x-amz-copy-source", "arn:aws:s3:us-west-2:111122223333:accesspoint/ap/object/k"),
    ("x-amz-tagging", "a=1&b=%zz&=&a"),
    ("x-amz-tagging-directive", "REPLACE"),
    ("x-amz-server-side-encryption", "aws:kms"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "alias/mine"),
    ("x-amz-server-side-encryption-aws-kms-key-id", "arn:aws:kms:us-east-1:111122223333:key/1234abcd"),
    ("x-amz-server-side-encryption-context", "eyJhIjogImIifQ=="),
    ("x-amz-server-side-encryption-context", "eyJhIjogIlx1ZDgwMCJ9"),
    ("x-amz-server-side-encryption-context", "bm90IGpzb24"),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
    ("x-amz-object-lock-mode", "GOVERNANCE"),
    ("x-amz-object-lock-retain-until-date", "2027-01-01T00:00:00Z"),
    ("x-amz-object-lock-retain-until-date", "9999-12-31T23:59:59-23:59"),
    ("x-amz-object-lock-retain-until-date", "0001-01-01T00:00:00+23:59"),
    ("x-amz-bypass-governance-retention", "true"),
    ("x-amz-expected-bucket-owner", "444455556666"),
    ("x-amz-request-payer", "requester"),
    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
    ("x-amz-storage-class", "GLACIER"),
    ("x-amz-mfa", "arn:aws:iam::111122223333:mfa/alice 123456"),
    ("If-Match", '"etag"'),
    ("If-None-Match", "*"),
    ("Origin", "https://example.com"),
    ("Access-Control-Request-Method", "PUT"),
    ("User-Agent", "Boto3/1.43.0 (ü)"),
    ("Referer", "https://example.com/page"),
    ("Content-Length", "0"),
    ("Transfer-Encoding", "chunked"),
    ("Date", "Fri, 01 May 2026 12:00:00 GMT"),
    ("X-Forwarded-For", "203.0.113.9"),
)
SECRET_HEADERS: Headers = (
    ("x-amz-server-side-encryption-customer-key", CUSTOMER_KEY),
    ("x-amz-copy-source-server-side-encryption-customer-key", CUSTOMER_KEY),
    ("Cookie", COOKIE),
    ("Proxy-Authorization", f"Bearer {BEARER}"),
    ("X-Amz-Security-Token", TOKEN),
    ("x-amz-s3session-token", TOKEN),
    (
        "Referer",
        f"https://b.s3.amazonaws.com/page?X-Amz-Security-Token={quote(TOKEN, safe='')}&X-Amz-Signature={SIGNATURE}",
    ),
    ("Referer", f"https://b.s3.amazonaws.com/page.html?Signature={quote(SIGNATURE_2)}&Expires=1#top"),
)
METHODS = ("GET", "GET", "GET", "PUT", "PUT", "DELETE", "HEAD", "POST", "POST", "OPTIONS", "PATCH", "", "get")

XMLNS = "http://s3.amazonaws.com/doc/2006-03-01/"
BODIES = (
    b"",
    b"<Delete><Object><Key>k</Key></Object><Object><Key>a&amp;b</Key><VersionId>v</VersionId></Object></Delete>",
    f'<Delete xmlns="{XMLNS}"><Quiet>true</Quiet></Delete>'.encode(),
    b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*"}]}',
    b'{"Statement": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b"[1, null]",
    f'<AccessControlPolicy xmlns="{XMLNS}"><Owner><ID>x</ID></Owner><AccessControlList><Grant><Grantee '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group"><URI>'
    "http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee><Permission>READ</Permission></Grant>"
    "</AccessControlList></AccessControlPolicy>".encode(),
    b"<Tagging><TagSet><Tag><Key>team</Key><Value>red</Value></Tag></TagSet></Tagging>",
    b"<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>2026-13-01T00:00:00Z</RetainUntilDate></Retention>",
    b"<LegalHold><Status>ON</Status></LegalHold>",
    b"<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>",
    b"<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls></PublicAccessBlockConfiguration>",
    b"<a>" * 3000 + b"</a>" * 3000,
)


def _form() -> bytes:
    fields = {
        "key": "uploads/${filename}",
        "acl": "public-read",
        "x-amz-credential": "AKIAEXAMPLE/20260501/us-east-1/s3/aws4_request",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-date": "20260501T120000Z",
        "x-amz-security-token": TOKEN,
        "x-amz-signature": SIGNATURE,
        "signature": SIGNATURE_2,
        "tagging": "<Tagging><TagSet><Tag><Key>ü</Key><Value>1</Value></Tag></TagSet></Tagging>",
        "policy": "eyJjb25kaXRpb25zIjogW119",
    }
    parts = [f'--bound\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in fields.items()]
    parts.append('--bound\r\nContent-Disposition: form-data; name="file"; filename="C:\\dir\\ü.txt"\r\n\r\nx')
    return "\r\n".join([*parts, "--bound--"]).encode()


def _named(rest: str, action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/k") -> str:
    return f'User: {ALICE} is not authorized to perform: {action} on resource: "{resource}" {rest}'


ERRORS: tuple[tuple[str, str], ...] = (
    ("AccessDenied", "Access Denied"),
    ("AccessDenied", "Access Denied."),
    ("AccessDenied", ""),
    ("AccessDenied", _named("because no identity-based policy allows the s3:GetObject action")),
    ("AccessDenied", _named("with an explicit deny in a resource-based policy")),
    ("AccessDenied", _named("with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o/p")),
    ("AccessDenied", _named("because no VPC endpoint policy allows the s3:PutObject action", "s3:PutObject")),
    (
        "AccessDenied",
        _named(
            "because no resource-based policy allows the kms:Decrypt action", "kms:Decrypt", "arn:aws:kms:x:1:key/1"
        ),
    ),
    (
        "AccessDenied",
        _named("because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access"),
    ),
    (
        "AccessDenied",
        _named(
            "because this bucket has blocked upload requests that specify Server Side Encryption with Customer"
            " provided keys (SSE-C)"
        ),
    ),
    ("AccessDenied", _named("because no identity-ba")),
    ("AccessDenied", "User: anonymous is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::b"),
    ("AccessDenied", "Request has expired"),
    ("AccessDenied", "There were headers present in the request which were not signed"),
    ("AccessDenied", "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"),
    ("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"),
    ("AccessDenied", 'Invalid according to Policy: Policy Condition failed: ["eq", "$acl", "private"]'),
    ("AccessDenied", "Access Denied because object protected by object lock."),
    ("AccessDenied", "Mfa Authentication must be used for this request"),
    ("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."),
    ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    ("InvalidToken", "The provided token is malformed or otherwise invalid."),
    ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
    ("InvalidObjectState", "The operation is not valid for the object's storage class"),
    ("AccessForbidden", "CORSResponse: This CORS request is not allowed."),
    ("AllAccessDisabled", "All access to this object has been disabled"),
    ("AccountProblem", "There is a problem with your AWS account"),
    ("NoSuchCode", "?"),
)
DETAILS: Headers = (
    ("AWSAccessKeyId", "AKIAEXAMPLE"),
    ("StringToSign", f"AWS4-HMAC-SHA256\n{TOKEN}"),
    ("SignatureProvided", SIGNATURE),
    ("CanonicalRequest", f"GET\n/b/k\n\nhost:other\nx-amz-security-token:{TOKEN}\n\nhost;x-amz-date\n{'e' * 64}"),
    (
        "CanonicalRequest",
        f"GET\n/b/k\nX-Amz-Security-Token={quote(TOKEN, safe='')}\nhost:other\n\nhost\nUNSIGNED-PAYLOAD",
    ),
    ("CanonicalRequest", "\n\n"),
    ("Token-0", TOKEN),
    ("ServerTime", "2026-05-01T12:30:00Z"),
    ("RequestTime", "20260501T120000Z"),
    ("RequestTime", "not a time"),
    ("Expires", "2026-05-01T11:30:00Z"),
    ("X-Amz-Expires", "300"),
    ("HeadersNotSigned", "x-amz-acl, x-amz-tagging"),
    ("HeadersNotSigned", " ,; "),
    ("StorageClass", "GLACIER"),
    ("Resource", "/b/k"),
    ("RequestId", "4442587FB7D0A2F9"),
    ("HostId", "h" * 76),
    ("Key", "k"),
)
HTML = (
    "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1><ul><li>Code: {code}</li>"
    "<li>Message: {message}</li><li>RequestId: R</li><li>HostId: H=</li></ul><hr/></body></html>"
)
NASTY = (
    *("\x00", "\r\n", "\n", "\t", "\x7f", "\x85", "\u2028", "\udc80", "\udcff", "é", "😀", "\u202e", "%", "%00", "%ff"),
    *("%2F", "%zz", "&", "=", "?", "#", ";", ",", "+", " ", '"', "'", "<", ">", "/", "//", "..", ":", "*", "${", "}"),
    *("$", "\\", "&#xD800;", "&bogus;", "]]>", "<!DOCTYPE x>", "arn:aws:s3:::", "arn:aws:iam::", "0", "9" * 5000),
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A denied call, the policies, and how it is answered."""

    call: DeniedCall
    snapshot: PolicySnapshot
    presentation: Presentation
    own_secrets: bool = field(default=True)
    """Do the planted secrets stand where secrets stand?"""


def exchange(seed: int) -> Exchange:
    """The damaged exchange of this seed."""
    chance = Random(seed)
    call, snapshot, whole = _scenario(chance) if chance.random() < 0.25 else (*_composed(chance), True)
    presentation = Presentation(
        disclosure=chance.choice(list(Disclosure)),
        loopback=chance.random() < 0.5,
        append_message=chance.random() < 0.9,
        header_bytes=chance.choice((16, 64, 200, 1024, 1024, 4096)),
    )
    return Exchange(call, snapshot, presentation, whole)


@cache
def _parsed(name: str) -> tuple[DeniedCall, PolicySnapshot]:
    scenario = Scenario.validate_document(SCENARIOS[name])
    return scenario.denied_call(NOW), scenario.snapshot()


def _scenario(chance: Random) -> tuple[DeniedCall, PolicySnapshot, bool]:
    """The call of a real case, its head, body and answer damaged; its target byte by byte."""
    call, snapshot = _parsed(chance.choice(sorted(SCENARIOS)))
    head = call.upstream_request
    target = _damaged(chance, head.target) if chance.random() < 0.5 else head.target
    head = replace(head, target=target, headers=_damaged_headers(chance, head.headers + _extra_headers(chance)))
    response, body = _answer(chance, head.method)
    if chance.random() < 0.3:
        call = replace(call, declared=Declared(), mode="resign")
    call = replace(call, request=head, upstream_request=head, response=response, response_body=body)
    return call, snapshot, "?" not in head.target


def _composed(chance: Random) -> tuple[DeniedCall, PolicySnapshot]:
    method = chance.choice(METHODS)
    parameters = chance.sample(PARAMETERS, chance.choice((0, 0, 1, 1, 2, 4)))
    signing, headers = _signed(chance)
    host = chance.choice(HOSTS)
    path = quote(
        chance.choice(("/b/", "/", "/b", "/arn%3Aaws%3As3%3A::")) + chance.choice(KEYS),
        "/%~:",
        "utf-8",
        "surrogatepass",
    )
    fields = (("Host", _mangled(chance, host, 0.1)), *headers, *_extra_headers(chance))
    body = None if chance.random() < 0.4 else chance.choice(BODIES)
    if method == "POST" and chance.random() < 0.3:
        fields = (*fields, ("Content-Type", "multipart/form-data; boundary=bound"))
        body, signing = _form(), []
    pairs = [_mangled(chance, pair, 0.2) for pair in parameters]
    for pair in signing:
        pairs.insert(chance.randint(0, len(pairs)), pair)
    path = _mangled(chance, path, 0.3).replace("?", "%3F")
    target = path + ("?" + "&".join(pairs) if pairs else "")
    if chance.random() < 0.03:
        target = f"http://{host}{target}"
    head = RequestHead(method, target, _damaged_headers(chance, fields))
    response, answer = _answer(chance, method)
    if body is not None and chance.random() < 0.3:
        body = _damaged_bytes(chance, body)
    call = DeniedCall(
        id=chance.choice(("ID1", "01ABCDEF", "1" * 16)),
        request=head,
        upstream_request=head,
        response=response if chance.random() < 0.97 else None,
        received=NOW,
        body=body,
        response_body=answer,
        secure=chance.choice((True, False, None)),
        client_address=chance.choice(("203.0.113.9", "fe80::1%eth0", None)),
        mode=chance.choice(("passthrough", "resign", "forward")),
        upstream_kind=chance.choice(("aws", "aws", "aws", "minio", "ceph", "other")),
        declared=chance.choice((Declared(), Declared(context={"aws:SourceVpce": None, "aws:SourceIp": ("x",)}))),
    )
    return call, chance.choice(_snapshots())


@cache
def _snapshots() -> tuple[PolicySnapshot, ...]:
    odd = {
        "Sid": "Odd\r\n\ud800 ü",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::b/*", "*"],
        "Condition": {
            "StringNotLike": {"aws:Referer": "https://example.com/*"},
            "NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"},
        },
    }
    denying = replace(BUCKET, policy=policies(odd, VPCE_DENY, name="bucket policy"))
    tagged = {
        **READ_ONLY,
        "Sid": "Tagged",
        "Condition": {
            "NumericLessThan": {"s3:max-keys": "10", "s3:object-lock-remaining-retention-days": "9"},
            "DateGreaterThan": {"aws:CurrentTime": "2027-01-01T00:00:00Z"},
            "ForAllValues:StringEquals": {"s3:RequestObjectTagKeys": ["a"]},
            "StringLike": {"s3:prefix": "${aws:username}/*", "aws:UserAgent": "x*"},
        },
    }
    return (
        PolicySnapshot(),
        world(PolicyList()),
        world(policies(ALLOW_ALL)),
        world(policies(READ_ONLY, tagged)),
        world(policies(tagged), denying),
        world(policies(ALLOW_ALL), denying),
        replace(world(policies(READ_ONLY)), buckets={}, objects={}),
    )


def _signed(chance: Random) -> tuple[list[str], Headers]:
    """Signing parameters and fields of one kind of authentication."""
    scope = f"AKIAEXAMPLE/20260501/{chance.choice(('us-east-1', 'eu-central-1', ''))}/s3/aws4_request"
    names = "host;x-amz-content-sha256;x-amz-date"
    date = ("X-Amz-Date", "20260501T120000Z")
    match chance.randrange(7):
        case 0:
            return [], ()
        case 1:
            return [], (("Authorization", f"AWS AKIAEXAMPLE:{SIGNATURE_2}"), ("Date", "Fri, 01 May 2026 12:00:00 GMT"))
        case 2:
            pairs = ["AWSAccessKeyId=AKIAEXAMPLE", f"Expires={chance.choice(('1777636800', 'x', '9' * 12))}"]
            return [*pairs, f"Signature={SIGNATURE_2}", f"x-amz-security-token={quote(TOKEN, safe='')}"], ()
        case 3:
            return [
                "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                f"X-Amz-Credential={quote(scope, safe='')}",
                "X-Amz-Date=20260501T100000Z",
                f"X-Amz-Expires={chance.choice(('3600', '-1', '999999999999'))}",
                f"X-Amz-SignedHeaders={quote(names)}",
                f"{chance.choice(('X-Amz-Security-Token', 'x-amz-%53ecurity-token'))}={quote(TOKEN, safe='')}",
                f"{chance.choice(('X-Amz-Signature', 'X-AMZ-SIGNATURE', 'X-Amz-%53ignature'))}={SIGNATURE}",
            ], ()
        case 4:
            return [], (date, ("Authorization", f"Bearer {BEARER}"))
        case _:
            algorithm = chance.choice(("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"))
            text = f"{algorithm} Credential={scope}, SignedHeaders={names}, Signature={SIGNATURE}"
            if chance.random() < 0.1:
                other = chance.choice((",", " ", ";", " , "))
                text = other.join(text.rsplit(", ", chance.choice((1, 2))))
            token: Headers = (("X-Amz-Security-Token", TOKEN),) if chance.random() < 0.3 else ()
            return [], (date, *token, ("Authorization", text))


def _extra_headers(chance: Random) -> Headers:
    fields = chance.sample(HEADERS, chance.choice((0, 1, 2, 5))) + chance.sample(
        SECRET_HEADERS, chance.choice((0, 1, 3))
    )
    chance.shuffle(fields)
    return tuple((name, _mangled(chance, value, 0.2) if (name, value) in HEADERS else value) for name, value in fields)


def _damaged_headers(chance: Random, headers: Headers) -> Headers:
    """Fields doubled, dropped, moved, or spelled in another case."""
    fields = list(headers)
    for _ in range(chance.choice((0, 0, 1, 2))):
        if not fields:
            break
        at = chance.randrange(len(fields))
        match chance.randrange(4):
            case 0:
                fields.insert(chance.randrange(len(fields)), fields[at])
            case 1:
                del fields[at]
            case 2:
                fields.append(fields.pop(at))
            case _:
                name, value = fields[at]
                fields[at] = (chance.choice((name.upper(), name.lower(), name.title())), value)
    return tuple(fields)


def _answer(chance: Random, method: str) -> tuple[ResponseHead, bytes | None]:
    """An error as S3, a server like it, or something in between sends it."""
    code, message = chance.choice(ERRORS)
    message = _mangled(chance, message, 0.3)
    status = chance.choice((403, 403, 403, 403, 403, 200, 404))
    headers: Headers = (("x-amz-request-id", _mangled(chance, "4442587FB7D0A2F9", 0.1)), ("x-amz-id-2", "h="))
    head = ResponseHead(status, "Forbidden", headers if chance.random() < 0.8 else ())
    body = _error_body(chance, code, message)
    if method == "HEAD":
        body = b"" if chance.random() < 0.9 else body
    if body is not None and chance.random() < 0.3:
        body = _damaged_bytes(chance, body)
    return head, body


def _error_body(chance: Random, code: str, message: str) -> bytes | None:
    details = chance.sample(DETAILS, chance.choice((0, 1, 3, 6)))
    more = "".join(f"<{name}>{escape(_mangled(chance, value, 0.1))}</{name}>" for name, value in details)
    error = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>{more}</Error>"
    match chance.randrange(12):
        case 0:
            return None
        case 1:
            text = HTML.format(code=code, message=escape(message))
        case 2:
            text = "".join(chance.choice(NASTY[:-1]) for _ in range(50))
        case 3:
            keyed = error.replace("<Code>", f"<Key>{escape(chance.choice(KEYS))}</Key><Code>")
            text = f"<DeleteResult><Deleted><Key>ok</Key></Deleted>{keyed * chance.choice((1, 2, 20))}</DeleteResult>"
        case 4:
            text = f'{{"Code": "{code}", "Message": "{message}"}}'
        case 5:
            text = error.replace("<Message>", "<Message>" + "long " * 4000)
        case 6:
            text = f'  \n<?xml version="1.0" encoding="{chance.choice(("UTF-8", "UTF-16", "latin-1"))}"?>\n{error}'
        case _:
            text = f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'
    encoding = chance.choice(("utf-8",) * 8 + ("utf-16", "latin-1", "utf-8-sig"))
    return text.encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace")


def _mangled(chance: Random, text: str, likely: float) -> str:
    return _damaged(chance, text) if chance.random() < likely else text


def _damaged(chance: Random, text: str) -> str:
    """The text with one to three edits."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        start = chance.randint(0, len(text))
        end = min(len(text), start + chance.choice((0, 0, 1, 4, len(text))))
        text = text[:start] + chance.choice((*NASTY, "")) + text[end:]
    return text


def _damaged_bytes(chance: Random, data: bytes) -> bytes:
    """Cut off, overwritten, or with bytes put in between."""
    start = chance.randint(0, len(data))
    match chance.randrange(4):
        case 0:
            return data[:start]
        case 1:
            return data[:start] + chance.randbytes(3) + data[start + 3 :]
        case 2:
            return data[:start] + chance.choice(NASTY).encode("utf-8", "surrogatepass") + data[start:]
        case _:
            return data + data[start:]
