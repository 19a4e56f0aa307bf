"""S3's denial messages, in every form that is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from denyproxy.s3.denial_message import DenialMessage, parse_denial_message

ALICE = "arn:aws:iam::111122223333:user/alice"
DEV = "arn:aws:sts::111122223333:assumed-role/dev/alice"
OBJECT = "arn:aws:s3:::amzn-s3-demo-bucket/reports/a.csv"
RESOURCE_LAYERS = ("bucket-policy", "access-point-policy")
GET = f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "{OBJECT}"'
SCP_ARN = "arn:aws:organizations::999988887777:policy/o-exampleorgid/service_control_policy/p-examplepolicyid"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            f"{GET} because no identity-based policy allows the s3:GetObject action",
            DenialMessage(ALICE, "s3:GetObject", OBJECT, "implicit", "identity-based policy", ("identity",)),
        ),
        (
            f"User: {DEV} is not authorized to perform: s3:GetBucketObjectLockConfiguration on resource:"
            f' "arn:aws:s3:::amzn-s3-demo-bucket" with an explicit deny in a service control policy: {SCP_ARN}',
            DenialMessage(
                DEV,
                "s3:GetBucketObjectLockConfiguration",
                "arn:aws:s3:::amzn-s3-demo-bucket",
                "explicit",
                "service control policy",
                ("scp",),
                SCP_ARN,
            ),
        ),
        (
            f'User: {DEV} is not authorized to perform: s3:ListBucket on resource: "arn:aws:s3:::other-account-bucket"'
            " because no resource-based policy allows the s3:ListBucket action",
            DenialMessage(
                DEV,
                "s3:ListBucket",
                "arn:aws:s3:::other-account-bucket",
                "implicit",
                "resource-based policy",
                (*RESOURCE_LAYERS, "acl", "block-public-access"),
            ),
        ),
        (
            f"User: {ALICE} is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows"
            " the s3:ListAllMyBuckets action",
            DenialMessage(ALICE, "s3:ListAllMyBuckets", None, "implicit", "identity-based policy", ("identity",)),
        ),
        (
            f"User: {ALICE} is not authorized to perform: s3:PutObjectAcl on resource:"
            ' "arn:aws:s3:::amzn-s3-demo-bucket/images/a.jpg" because public ACLs are prevented by the BlockPublicAcls'
            " setting in S3 Block Public Access.",
            DenialMessage(
                ALICE,
                "s3:PutObjectAcl",
                "arn:aws:s3:::amzn-s3-demo-bucket/images/a.jpg",
                "not-policy",
                layers=("block-public-access",),
                setting="BlockPublicAcls",
            ),
        ),
        (
            f"User: {DEV} is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
            " because no identity-based policy allows the kms:Decrypt action",
            DenialMessage(DEV, "kms:Decrypt", None, "implicit", "identity-based policy", ("identity",)),
        ),
        (
            f"User: {ALICE} is not authorized to perform: s3:DeleteObject on resource:"
            ' "arn:aws:s3:::amzn-s3-demo-bucket/no.txt" with an explicit deny in a resource-based policy',
            DenialMessage(
                ALICE,
                "s3:DeleteObject",
                "arn:aws:s3:::amzn-s3-demo-bucket/no.txt",
                "explicit",
                "resource-based policy",
                (*RESOURCE_LAYERS, "block-public-access"),
            ),
        ),
    ],
)
def test_the_documented_examples(message: str, expected: DenialMessage) -> None:
    assert parse_denial_message(message) == expected


@pytest.mark.parametrize(
    ("reason", "effect", "layers"),
    [
        ("because no permissions boundary allows the s3:GetObject action", "implicit", ("permissions-boundary",)),
        ("because no session policy allows the s3:GetObject action", "implicit", ("session-policy",)),
        ("because no service control policy allows the s3:GetObject action", "implicit", ("scp",)),
        ("because no VPC endpoint policy allows the s3:GetObject action", "implicit", ("vpc-endpoint-policy",)),
        ("with an explicit deny in an identity-based policy", "explicit", ("identity",)),
        ("with an explicit deny in a permissions boundary", "explicit", ("permissions-boundary",)),
        ("with an explicit deny in a session policy", "explicit", ("session-policy",)),
        ("with an explicit deny in a resource control policy", "explicit", ("rcp",)),
        ("with an explicit deny in a VPC endpoint policy", "explicit", ("vpc-endpoint-policy",)),
    ],
)
def test_every_policy_type(reason: str, effect: str, layers: tuple[str, ...]) -> None:
    found = parse_denial_message(f"{GET} {reason}")
    assert found is not None
    assert (found.effect, found.layers, found.resource, found.policy_arn) == (effect, layers, OBJECT, None)


ARN = "arn:aws:iam::111122223333:policy/team/deny.all+x=1"


@pytest.mark.parametrize(
    "written",
    [
        f": {ARN}",
        f":{ARN}",
        f", with policy ARN: {ARN}",
        f", with policy ARN:\n  {ARN}",
        f": {ARN}.",
        f": {ARN}. Go to x",
    ],
)
def test_the_policy_arn_in_both_spellings(written: str) -> None:
    found = parse_denial_message(f"{GET} with an explicit deny in an identity-based policy{written}")
    assert found is not None
    assert (found.effect, found.policy_arn) == ("explicit", ARN)


SUFFIXES = [
    "",
    ".",
    ". ",
    " (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied; Request ID: X; S3 Extended Request ID: Y;"
    " Proxy: null)",
    ". Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/authorization-details/1 for complete"
    " details, or call the GetRequestAuthorizationDetails API with the following authorization id: 1",
]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "reason",
    [
        "because no identity-based policy allows the s3:GetObject action",
        "with an explicit deny in an identity-based policy",
        "with an explicit deny in an identity-based policy: arn:aws:iam::aws:policy/AWSDenyAll",
    ],
)
def test_suffixes_are_tolerated(reason: str, suffix: str) -> None:
    plain, suffixed = parse_denial_message(f"{GET} {reason}"), parse_denial_message(f"{GET} {reason}{suffix}")
    assert plain is not None
    assert plain == suffixed


def test_the_prefix_of_sdks_is_tolerated() -> None:
    prefix = "An error occurred (AccessDenied) when calling the GetObject operation: "
    reason = " because no identity-based policy allows the s3:GetObject action"
    assert parse_denial_message(prefix + GET + reason) == parse_denial_message(GET + reason)
    assert parse_denial_message((GET + reason).removeprefix("User: ")) == parse_denial_message(GET + reason)


def test_folded_whitespace() -> None:
    message = f"{GET} because no identity-based policy allows the s3:GetObject action".replace(" ", " \n  ")
    found = parse_denial_message(message)
    assert found is not None
    assert (found.action, found.resource, found.effect) == ("s3:GetObject", OBJECT, "implicit")
    found = parse_denial_message(f"{GET} because no\nidentity-based policy allows the s3:GetObject action")
    assert found is not None
    assert (found.resource, found.effect) == (OBJECT, "implicit")


@pytest.mark.parametrize(
    "key",
    [
        'say "hello"',
        'x" because no identity-based policy allows the s3:GetObject action',
        'x" with an explicit deny in a service control policy: arn:aws:x',
        "because no permissions boundary allows the s3:GetObject action",
        'a" on resource: "b',
        "two  spaces",
        "new\nline",
        "ü/€/😀",
        '"',
        "",
    ],
)
def test_keys_may_contain_anything(key: str) -> None:
    message = (
        f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/{key}"'
        " with an explicit deny in a resource-based policy"
    )
    found = parse_denial_message(message)
    assert found is not None
    assert found.resource == f"arn:aws:s3:::b/{key}"
    assert (found.effect, found.policy_type) == ("explicit", "resource-based policy")


@given(st.text(max_size=80))
def test_any_key_comes_back(key: str) -> None:
    message = (
        f'User: {ALICE} is not authorized to perform: s3:GetObject on resource: "arn:aws:s3:::b/{key}"'
        " because no permissions boundary allows the s3:GetObject action"
    )
    found = parse_denial_message(message)
    assert found is not None
    assert (found.resource, found.layers) == (f"arn:aws:s3:::b/{key}", ("permissions-boundary",))


def test_access_points_and_bare_arns() -> None:
    point = "arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/k"
    found = parse_denial_message(
        f'User: {DEV} is not authorized to perform: s3:GetObject on resource: "{point}" because no session policy'
        " allows the s3:GetObject action"
    )
    assert found is not None
    assert found.resource == point
    key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd"
    found = parse_denial_message(
        f"User: {DEV} is not authorized to perform: kms:GenerateDataKey on resource: {key} because no resource-based"
        " policy allows the kms:GenerateDataKey action"
    )
    assert found is not None
    assert (found.resource, found.layers) == (key, ("kms-key-policy",))


def test_the_catch_all_of_kms() -> None:
    found = parse_denial_message(
        f"User: {DEV} is not authorized to perform: kms:Decrypt on this resource because the resource does not exist in"
        " this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access"
    )
    assert found is not None
    assert found.kms_catch_all
    assert (found.action, found.resource, found.layers) == ("kms:Decrypt", None, ("kms-key-policy",))


def test_block_public_policy_and_sse_c() -> None:
    found = parse_denial_message(
        f'User: {ALICE} is not authorized to perform: s3:PutBucketPolicy on resource: "arn:aws:s3:::b" because public'
        " policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
    )
    assert found is not None
    assert (found.setting, found.effect) == ("BlockPublicPolicy", "not-policy")
    found = parse_denial_message(
        f'User: {ALICE} is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/k" because this bucket'
        " has blocked upload requests that specify Server Side Encryption with Customer provided keys (SSE-C). Please"
        " specify a different server-side encryption type"
    )
    assert found is not None
    assert found.blocks_sse_c
    assert found.layers == ("sse-c-blocked",)


@pytest.mark.parametrize(
    ("cut", "effect", "arn"),
    [
        (
            f"{GET} with an explicit deny in a service control policy: arn:aws:organizations::",
            "explicit",
            "arn:aws:organizations::",
        ),
        (f"{GET} with an explicit deny in a service control policy:", "explicit", None),
        (f"{GET} because no identity-ba", None, None),
        (GET, None, None),
    ],
)
def test_cut_off_messages(cut: str, effect: str | None, arn: str | None) -> None:
    found = parse_denial_message(cut)
    assert found is not None
    assert (found.principal, found.action, found.resource) == (ALICE, "s3:GetObject", OBJECT)
    assert (found.effect, found.policy_arn) == (effect, arn)


@pytest.mark.parametrize(
    "message",
    [
        None,
        "",
        "Access Denied",
        "Access Denied.",
        "Request has expired",
        "not authorized to perform: s3:GetObject",
        "x" * 99999,
    ],
)
def test_other_messages(message: str | None) -> None:
    assert parse_denial_message(message) is None


@given(st.text(), st.integers(0, 400))
def test_never_raises(text: str, cut: int) -> None:
    whole = f"{GET} because no identity-based policy allows the s3:GetObject action"
    for message in (text, whole[:cut], whole[:cut] + text + whole[cut:], f"is not authorized to perform: {text}"):
        parse_denial_message(message)
