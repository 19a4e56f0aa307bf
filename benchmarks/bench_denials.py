"""How many denials are explained a second? From the raw exchange to the header, the new body and the record.

    python -m benchmarks.bench_denials [--profile]

Every denial has a key of its own. As they are served, those that are alike but for a name that no policy knows are told
from one that was explained, which SignatureDoesNotMatch, a seventh of them, never is; for all other figures nothing is
remembered from one to the next. The user, the policies (20 statements) and the calibration loop are those of
bench_evaluation; rate / calibration rate is the figure to compare.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from unittest.mock import patch
from xml.sax.saxutils import escape

from benchmarks.bench_evaluation import ACCOUNT, BUCKET, IDENTITY, RCP, SCP, USER, policy
from benchmarks.calibration import rate_and_ratio
from denyproxy.exchange import Declared, DeniedCall, Headers, RequestHead, ResponseHead
from denyproxy.explain import explainer
from denyproxy.explain.explainer import Explainer
from denyproxy.explain.presentation import Presentation, present
from denyproxy.iam.document import PolicyList
from denyproxy.loading import load
from denyproxy.s3.snapshot import AccountFacts, BlockPublicAccess, BucketFacts, PolicySnapshot, PrincipalFacts
from denyproxy.service_model import s3_operations
from denyproxy.wiring import ColdPath

DENIALS = 240
SERVED = 2100
NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
NOTHING = PolicyList()

EXPLAINER = Explainer(s3_operations())
PRESENTATION = Presentation()


def snapshot() -> PolicySnapshot:
    """The policies of bench_evaluation, as a live source would have loaded them."""
    bucket = BucketFacts(
        name="data-7",
        account=ACCOUNT,
        region="eu-central-1",
        policy=PolicyList((policy("bucket policy", BUCKET),)),
        policy_is_public=False,
        block_public_access=BlockPublicAccess(True, True, True, True),
        object_ownership="BucketOwnerEnforced",
        grants=(),
        request_payer="BucketOwner",
        default_encryption="AES256",
        tags={},
        abac=False,
    )
    identity = PolicyList(tuple(policy(f"identity-{index}", part) for index, part in enumerate(IDENTITY)))
    account = AccountFacts(
        ACCOUNT,
        block_public_access=BlockPublicAccess(),
        organization_id="o-example1234",
        organization_path="o-example1234/r-1/",
        management=False,
        scp=(PolicyList((policy("scp", SCP),)),),
        rcp=(PolicyList((policy("rcp", RCP),)),),
    )
    return PolicySnapshot(
        revision="1",
        loaded=NOW,
        access_keys={ACCESS_KEY: USER},
        principals={USER: PrincipalFacts(USER, identity=identity, boundary=None, session=None, tags={})},
        accounts={ACCOUNT: account},
        buckets={"data-7": bucket},
    )


DECLARED = Declared(context={"aws:SourceVpce": None, "aws:SourceIp": ("10.0.0.9",)})


def denial(
    number: int, method: str, target: str, *headers: tuple[str, str], code: str = "AccessDenied", message: str
) -> DeniedCall:
    """One raw exchange as the SDK for Python sends it and S3 answers it."""
    request = RequestHead(
        method,
        target,
        (
            ("Host", "data-7.s3.eu-central-1.amazonaws.com"),
            ("User-Agent", "Boto3/1.43.0 md/Botocore#1.43.0 ua/2.1 os/linux#6.8 md/arch#x86_64 lang/python#3.12.3"),
            ("X-Amz-Date", "20260501T120000Z"),
            ("X-Amz-Content-SHA256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            *headers,
            (
                "Authorization",
                f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260501/eu-central-1/s3/aws4_request, "
                f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={number:064x}",
            ),
            ("Accept-Encoding", "identity"),
        ),
    )
    body = b""
    if method != "HEAD":
        body = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{escape(message)}</Message>'
            f"<RequestId>R{number:015X}</RequestId><HostId>{number:076d}</HostId></Error>"
        ).encode()
    answer: Headers = (("x-amz-request-id", f"R{number:015X}"), ("Content-Type", "application/xml"))
    return DeniedCall(
        id=f"{number:016d}",
        request=request,
        upstream_request=request,
        response=ResponseHead(403, "Forbidden", answer),
        received=NOW,
        response_body=body,
        secure=True,
        client_address="10.0.0.9",
        declared=DECLARED,
    )


def _implicit(number: int, *, said: bool = True, method: str = "GET") -> DeniedCall:
    key = f"home/bob/{number:05d}.parquet"
    message = "Access Denied"
    if said:
        message = (
            f'User: {USER} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::data-7/{key}" because '
            "no identity-based policy allows the s3:GetObject action"
        )
    return denial(number, method, f"/{key}", message=message)


def _listing(number: int) -> DeniedCall:
    target = f"/?list-type=2&prefix=home%2Fbob%2F{number}%2F&max-keys=1000&encoding-type=url"
    return denial(number, "GET", target, message="Access Denied")


def _explicit(number: int) -> DeniedCall:
    encryption = ("X-Amz-Server-Side-Encryption", "AES256")
    return denial(number, "PUT", f"/in/{number:05d}.parquet", encryption, message="Access Denied")


def _candidates(number: int) -> DeniedCall:
    return denial(number, "DELETE", f"/out/{number:05d}.parquet", message="Access Denied")


def _signature(number: int) -> DeniedCall:
    message = (
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method."
    )
    return denial(number, "GET", f"/public/{number:05d}", code="SignatureDoesNotMatch", message=message)


KINDS: dict[str, Callable[[int], DeniedCall]] = {
    "GetObject, S3 names the layer": _implicit,
    "GetObject, Access Denied": partial(_implicit, said=False),
    "HeadObject": partial(_implicit, method="HEAD"),
    "ListObjectsV2": _listing,
    "PutObject, explicit deny": _explicit,
    "DeleteObject": _candidates,
    "SignatureDoesNotMatch": _signature,
}


def explain(call: DeniedCall, facts: PolicySnapshot) -> tuple[str, str]:
    """Verdict and record of one exchange; the header and the new body are made on the way."""
    explained = EXPLAINER(call, facts)
    assert explained is not None
    answer = present(
        explained.explanation,
        own_account=explained.own_account,
        presentation=PRESENTATION,
        method=call.request.method,
        body=call.response_body,
    )
    assert answer.headers
    return explained.explanation.verdict.value, explained.record.to_json()


def explain_all(calls: Sequence[DeniedCall], facts: PolicySnapshot) -> list[str]:
    """The verdicts of many exchanges."""
    return [explain(call, facts)[0] for call in calls]


def serve_all(calls: Sequence[DeniedCall], facts: PolicySnapshot) -> int:
    """Answer and log many exchanges as `denyproxy serve` does: how many were told from another?"""
    cold = ColdPath(load({"upstream": {"url": "http://127.0.0.1:9000"}}))
    for call in calls:
        told = cold.at_once(call, facts)
        assert told is not None
        assert told[1] is not None
    return cold.remembered


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", action="store_true", help="where the time goes, instead of the figures")
    arguments = parser.parse_args()
    facts = snapshot()
    kinds = list(KINDS.values())
    mixed = [kinds[number % len(kinds)](number) for number in range(DENIALS)]
    if arguments.profile:
        profile = cProfile.Profile()
        profile.runcall(explain_all, mixed, facts)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    many = [kinds[number % len(kinds)](number) for number in range(SERVED)]
    found, ratio = rate_and_ratio(partial(serve_all, many, facts), len(many))
    told = serve_all(many, facts) / len(many)
    print(f"{'all kinds, as they are served':<46}{found:>8,.0f} /s   ratio {ratio:.6f}   {told:.0%} told from another")
    with patch.object(explainer, "propose", return_value=()):
        found, ratio = rate_and_ratio(partial(explain_all, mixed, facts), len(mixed))
    print(f"{'all kinds, the cause alone':<46}{found:>8,.0f} /s   ratio {ratio:.6f}")
    found, ratio = rate_and_ratio(partial(explain_all, mixed, facts), len(mixed))
    print(f"{'all kinds, with verified fixes':<46}{found:>8,.0f} /s   ratio {ratio:.6f}")
    for name, make in KINDS.items():
        calls = [make(number) for number in range(DENIALS // 4)]
        found, ratio = rate_and_ratio(partial(explain_all, calls, facts), len(calls))
        verdicts = ", ".join(sorted(set(explain_all(calls, facts))))
        size = len(explain(calls[0], facts)[1])
        print(f"  {name:<44}{found:>8,.0f} /s   ratio {ratio:.6f}   {verdicts}, {size:,} bytes")


if __name__ == "__main__":
    main()
