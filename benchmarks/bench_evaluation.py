"""How fast is the evaluation engine? Rates of `decide` and `evaluate` over distinct requests, without any memo.

    python -m benchmarks.bench_evaluation

One user with 3 identity policies (12 statements), a bucket policy of 5 statements with conditions, one SCP, one RCP.
The calibration loop is plain Python; rate / calibration rate is the figure to compare across machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.calibration import STEPS, calibration, rate
from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import Policy, PolicyList
from denyproxy.iam.evaluation import AuthorizationRequest, PolicySet, ResourceLayer, decide, evaluate
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth

ACCOUNT = "111122223333"
USER = f"arn:aws:iam::{ACCOUNT}:user/team/alice"
REQUESTS = 1000

IDENTITY: list[list[dict[str, Any]]] = [
    [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": "arn:aws:s3:::data-*/public/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:*Object",
            "Resource": "arn:aws:s3:::data-7/home/${aws:username}/*",
        },
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::data-7",
            "Condition": {"StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]}},
        },
        {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
    ],
    [
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {
            "Effect": "Deny",
            "Action": "s3:Delete*",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        },
        {"Effect": "Allow", "Action": ["sqs:*", "sns:Publish"], "Resource": "*"},
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": "*"},
    ],
    [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:PutObjectTagging"],
            "Resource": ["arn:aws:s3:::data-7/in/*", "arn:aws:s3:::data-7/out/*"],
        },
        {"Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:::logs", "arn:aws:s3:::logs/*/2026-??-*.gz"]},
        {"Effect": "Deny", "NotAction": ["s3:*", "kms:*", "sqs:*", "sns:*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"},
    ],
]

BUCKET: list[dict[str, Any]] = [
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::data-7", "arn:aws:s3:::data-7/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    },
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::data-7/*",
        "Condition": {
            "StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"},
            "Null": {"s3:x-amz-server-side-encryption": "false"},
        },
    },
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::data-7/secret/*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}},
    },
    {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:role/reader", USER]},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::data-7/shared/*",
        "Condition": {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:user/team/*"}},
    },
    {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::data-7", "arn:aws:s3:::data-7/*"],
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-example1234"}},
    },
]

SCP: list[dict[str, Any]] = [
    {"Effect": "Allow", "Action": "*", "Resource": "*"},
    {
        "Effect": "Deny",
        "NotAction": ["iam:*", "organizations:*", "support:*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1", "eu-west-1"]}},
    },
]

RCP: list[dict[str, Any]] = [
    {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {
            "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-example1234"},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    }
]


def policy(name: str, statements: list[dict[str, Any]]) -> Policy:
    """A policy of these statements."""
    return Policy.parse({"Version": "2012-10-17", "Statement": statements}, name=name)


def policy_set(identity: list[list[dict[str, Any]]]) -> PolicySet:
    """The layers of the benchmark, with these identity policies."""
    return PolicySet(
        same_account=Truth.YES,
        identity=PolicyList(tuple(policy(f"identity-{index}", part) for index, part in enumerate(identity))),
        scp=(PolicyList((policy("scp", SCP),)),),
        rcp=(PolicyList((policy("rcp", RCP),)),),
        resource=(ResourceLayer("bucket-policy", PolicyList((policy("bucket policy", BUCKET),))),),
    )


_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject", "s3:GetObjectVersion")
_FOLDERS = ("public", "home/alice", "home/bob", "in", "shared", "secret")


def requests(count: int = REQUESTS) -> list[AuthorizationRequest]:
    """Distinct requests: allowed ones, explicitly and implicitly denied ones."""
    principal = Principal(PrincipalType.USER, USER, ACCOUNT)
    found = []
    for number in range(count):
        action = _ACTIONS[number % len(_ACTIONS)]
        folder = _FOLDERS[number // len(_ACTIONS) % len(_FOLDERS)]
        context = {
            "aws:username": ("alice",),
            "aws:principalarn": (USER,),
            "aws:principalaccount": (ACCOUNT,),
            "aws:principalorgid": ("o-example1234",),
            "aws:principalisawsservice": ("false",),
            "aws:securetransport": ("false" if number % 17 == 0 else "true",),
            "aws:sourceip": (f"10.0.{number // 250}.{number % 250}",),
            "aws:requestedregion": ("us-east-1" if number % 19 == 0 else "eu-central-1",),
        }
        if action == "s3:ListBucket":
            resource = "arn:aws:s3:::data-7"
            context["s3:prefix"] = (f"{folder}/{number}",)
        else:
            resource = f"arn:aws:s3:::data-7/{folder}/{number:05d}.parquet"
        found.append(AuthorizationRequest(principal, action, resource, RequestContext(context)))
    return found


Evaluator = Callable[[AuthorizationRequest, PolicySet], object]


def rate_of(evaluator: Evaluator, asked: list[AuthorizationRequest], policies: PolicySet) -> float:
    """Requests per second."""
    return rate(lambda: [evaluator(request, policies) for request in asked], len(asked))


def main() -> None:
    """Print the figures."""
    asked = requests()
    policies = policy_set(IDENTITY)
    shares: dict[str, int] = {}
    for request in asked:
        decided = ", ".join(sorted(decide(request, policies)))
        shares[decided] = shares.get(decided, 0) + 1
    print("decisions:", ", ".join(f"{name} {count / len(asked):.0%}" for name, count in sorted(shares.items())))
    calibrated = rate(calibration, STEPS)
    print(f"calibration           {calibrated:>12,.0f} steps/s")
    evaluators: dict[str, Evaluator] = {"decide": decide, "evaluate": evaluate}
    for name, evaluator in evaluators.items():
        found = rate_of(evaluator, asked, policies)
        print(f"{name:<9} 20 statements {found:>10,.0f} /s   ratio {found / calibrated:.5f}")
    print("linearity: one identity policy, all of its statements about the action, then none of them")
    for count in (10, 100, 1000):
        for kind, action in (("relevant", "s3:*Object*"), ("irrelevant", "sqs:*")):
            statements = [
                {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:s3:::other-{number}/*"}
                for number in range(count)
            ]
            found = rate_of(decide, asked[:100], policy_set([statements]))
            print(f"decide {count:>5} {kind:<10} {found:>10,.0f} /s   {1e6 / found:>8.1f} us")


if __name__ == "__main__":
    main()
