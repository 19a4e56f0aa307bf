from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from denyproxy.iam.principal import (
    ANONYMOUS,
    Naming,
    Principal,
    PrincipalType,
    account_of,
    is_service_linked,
    named_aws,
)
from denyproxy.iam.truth import Truth
from tests.iam.build import (
    FEDERATED,
    FEDERATED_ARN,
    LINKED,
    NO,
    OURS,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION,
    SESSION_ARN,
    SOMEBODY,
    THEIRS,
    UNSURE,
    USER,
    USER_ARN,
    YES,
    statement,
)

CANONICAL = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
UNNAMED_SESSION = Principal(PrincipalType.ROLE_SESSION, ROLE_ARN, OURS, ROLE_ARN)
SESSION_WITHOUT_ROLE = Principal(PrincipalType.ROLE_SESSION, SESSION_ARN, OURS)
SESSION_OF_NOTHING = Principal(PrincipalType.ROLE_SESSION, None, OURS)
CHINESE = Principal(PrincipalType.USER, f"arn:aws-cn:iam::{OURS}:user/alice", OURS)


def names(principal: Principal, element: Any) -> Naming:
    written = {"Effect": "Allow", "Action": "*", "Resource": "*", "Principal": element}
    return statement(written).names(principal)


def aws(*entries: str) -> dict[str, list[str]]:
    return {"AWS": list(entries)}


DIRECT, ISSUER, ACCOUNT, NOBODY = Naming(YES), Naming(NO, YES), Naming(NO, NO, YES), Naming()


@pytest.mark.parametrize("everyone", ["*", {"AWS": "*"}, {"AWS": ["*"]}, {"AWS": [USER_ARN, "*"]}])
@pytest.mark.parametrize("principal", [USER, SESSION, FEDERATED, ROOT, ANONYMOUS, SERVICE, SOMEBODY])
def test_a_star_is_everyone(everyone: object, principal: Principal) -> None:
    assert names(principal, everyone) == DIRECT


@pytest.mark.parametrize(
    ("principal", "entry", "naming"),
    [
        # a user
        (USER, USER_ARN, DIRECT),
        (USER, USER_ARN.upper(), NOBODY),
        (USER, USER_ARN.replace("alice", "Alice"), NOBODY),
        (USER, USER_ARN.replace("user/", "user/team/"), NOBODY),
        (USER, USER_ARN.replace("arn:aws:", "arn:aws-cn:"), NOBODY),
        (USER, USER_ARN.replace(OURS, THEIRS), NOBODY),
        (USER, OURS, ACCOUNT),
        (USER, ROOT_ARN, ACCOUNT),
        (USER, THEIRS, NOBODY),
        (USER, ROOT_ARN.replace(OURS, THEIRS), NOBODY),
        (USER, ROOT_ARN.replace("arn:aws:", "arn:aws-us-gov:"), NOBODY),
        (USER, ROLE_ARN, NOBODY),
        (USER, "AIDACKCEVSQ6C2EXAMPLE", NOBODY),
        (USER, f"arn:aws:iam::{OURS}:user/*", NOBODY),
        (USER, f"arn:aws:iam::{OURS}:group/team", NOBODY),
        (CHINESE, OURS, ACCOUNT),
        (CHINESE, ROOT_ARN.replace("arn:aws:", "arn:aws-cn:"), ACCOUNT),
        (CHINESE, ROOT_ARN, NOBODY),
        # a role session
        (SESSION, ROLE_ARN, ISSUER),
        (SESSION, SESSION_ARN, DIRECT),
        (SESSION, SESSION_ARN.replace("s1", "s2"), NOBODY),
        (SESSION, f"arn:aws:sts::{OURS}:assumed-role/reader", NOBODY),
        (SESSION, f"arn:aws:sts::{OURS}:assumed-role/reader/*", NOBODY),
        (SESSION, f"arn:aws:iam::{OURS}:role/reader", NOBODY),
        (SESSION, f"arn:aws:iam::{OURS}:role/*", NOBODY),
        (SESSION, "AROACKCEVSQ6C2EXAMPLE", NOBODY),
        (SESSION, OURS, ACCOUNT),
        (SESSION, THEIRS, NOBODY),
        (SESSION, USER_ARN, NOBODY),
        # a federated session of a user
        (FEDERATED, FEDERATED_ARN, DIRECT),
        (FEDERATED, FEDERATED_ARN.replace("bob", "eve"), NOBODY),
        (FEDERATED, USER_ARN, ISSUER),
        (FEDERATED, ROLE_ARN, NOBODY),
        (FEDERATED, ROOT_ARN, ACCOUNT),
        # the root user
        (ROOT, ROOT_ARN, ACCOUNT),
        (ROOT, OURS, ACCOUNT),
        (ROOT, THEIRS, NOBODY),
        (ROOT, USER_ARN, NOBODY),
        # nobody's account
        (ANONYMOUS, OURS, NOBODY),
        (ANONYMOUS, USER_ARN, NOBODY),
        (SERVICE, OURS, NOBODY),
        (SERVICE, "logging.s3.amazonaws.com", NOBODY),
        # an origin access identity is a user of a pseudo account
        (
            Principal(PrincipalType.USER, "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1", None),
            "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1",
            DIRECT,
        ),
    ],
)
def test_an_aws_principal(principal: Principal, entry: str, naming: Naming) -> None:
    assert names(principal, aws(entry)) == naming
    assert names(principal, {"AWS": entry}) == naming
    assert names(principal, aws("AIDADELETED0000000000", entry)) == naming


def test_entries_add_up() -> None:
    assert names(SESSION, aws(ROLE_ARN, SESSION_ARN, OURS)) == Naming(YES, YES, YES)
    assert names(USER, aws(THEIRS, OURS, USER_ARN)) == Naming(YES, NO, YES)


@pytest.mark.parametrize(
    ("principal", "entry", "other", "naming"),
    [
        (USER, USER_ARN, f"arn:aws:iam::{OURS}:user/bob", DIRECT),
        (SESSION, SESSION_ARN, SESSION_ARN.replace("s1", "s2"), DIRECT),
        (SESSION, ROLE_ARN, f"arn:aws:iam::{OURS}:role/writer", ISSUER),
        (FEDERATED, FEDERATED_ARN, FEDERATED_ARN.replace("bob", "eve"), DIRECT),
        (FEDERATED, USER_ARN, f"arn:aws:iam::{OURS}:user/bob", ISSUER),
        (USER, OURS, THEIRS, ACCOUNT),
        (UNNAMED_SESSION, SESSION_ARN, SESSION_ARN.replace("reader", "writer"), Naming(UNSURE)),
        (SESSION_WITHOUT_ROLE, ROLE_ARN, f"arn:aws:iam::{OURS}:role/writer", Naming(NO, UNSURE)),
        (Principal(PrincipalType.USER, None, OURS), USER_ARN, USER_ARN.replace(OURS, THEIRS), Naming(UNSURE)),
    ],
)
def test_one_of_several_entries_of_a_kind_is_enough(
    principal: Principal, entry: str, other: str, naming: Naming
) -> None:
    assert names(principal, aws(entry, other)) == naming
    assert names(principal, aws(other, entry)) == naming
    assert names(principal, aws(other)) == NOBODY


@pytest.mark.parametrize(
    ("principal", "entry", "naming"),
    [
        # the session's name is not known
        (UNNAMED_SESSION, SESSION_ARN, Naming(UNSURE)),
        (UNNAMED_SESSION, SESSION_ARN.replace("reader", "writer"), NOBODY),
        (UNNAMED_SESSION, SESSION_ARN.replace(OURS, THEIRS), NOBODY),
        (UNNAMED_SESSION, SESSION_ARN.replace("arn:aws:", "arn:aws-cn:"), NOBODY),
        (UNNAMED_SESSION, ROLE_ARN, ISSUER),
        (replace(UNNAMED_SESSION, issuer=None), ROLE_ARN, ISSUER),
        (replace(UNNAMED_SESSION, issuer=None), ROLE_ARN.replace("team", "other"), NOBODY),
        # the role's path is not known
        (SESSION_WITHOUT_ROLE, ROLE_ARN, Naming(NO, UNSURE)),
        (SESSION_WITHOUT_ROLE, f"arn:aws:iam::{OURS}:role/reader", Naming(NO, UNSURE)),
        (SESSION_WITHOUT_ROLE, f"arn:aws:iam::{OURS}:role/writer", NOBODY),
        (SESSION_WITHOUT_ROLE, ROLE_ARN.replace(OURS, THEIRS), NOBODY),
        (SESSION_WITHOUT_ROLE, ROLE_ARN.replace("arn:aws:", "arn:aws-cn:"), NOBODY),
        (SESSION_WITHOUT_ROLE, SESSION_ARN, DIRECT),
        # neither
        (SESSION_OF_NOTHING, ROLE_ARN, Naming(NO, UNSURE)),
        (SESSION_OF_NOTHING, SESSION_ARN, Naming(UNSURE)),
        (SESSION_OF_NOTHING, ROLE_ARN.replace(OURS, THEIRS), NOBODY),
        (SESSION_OF_NOTHING, USER_ARN, NOBODY),
        (Principal(PrincipalType.USER, None, OURS), USER_ARN, Naming(UNSURE)),
        (Principal(PrincipalType.USER, None, THEIRS), USER_ARN, NOBODY),
        (replace(FEDERATED, issuer=None), USER_ARN, Naming(NO, UNSURE)),
        (replace(FEDERATED, issuer=None, account=THEIRS), USER_ARN, NOBODY),
        (Principal(PrincipalType.USER, None, None), OURS, Naming(account=UNSURE)),
        # nothing at all
        (SOMEBODY, OURS, Naming(account=UNSURE)),
        (SOMEBODY, USER_ARN, Naming(UNSURE, UNSURE)),
        (SOMEBODY, ROLE_ARN, Naming(UNSURE, UNSURE)),
        (SOMEBODY, SESSION_ARN, Naming(UNSURE, UNSURE)),
        (SOMEBODY, FEDERATED_ARN, Naming(UNSURE, UNSURE)),
        (SOMEBODY, "AIDACKCEVSQ6C2EXAMPLE", NOBODY),
        (Principal(PrincipalType.UNKNOWN, None, OURS), OURS, ACCOUNT),
        (Principal(PrincipalType.UNKNOWN, None, OURS), USER_ARN, Naming(UNSURE, UNSURE)),
        (Principal(PrincipalType.UNKNOWN, None, THEIRS), USER_ARN, NOBODY),
    ],
)
def test_a_caller_who_is_not_fully_known(principal: Principal, entry: str, naming: Naming) -> None:
    assert names(principal, aws(entry)) == naming


@pytest.mark.parametrize(
    ("principal", "element", "naming"),
    [
        (SERVICE, {"Service": "logging.s3.amazonaws.com"}, DIRECT),
        (SERVICE, {"Service": ["x.amazonaws.com", "logging.s3.amazonaws.com"]}, DIRECT),
        (SERVICE, {"Service": "*"}, DIRECT),
        (SERVICE, {"Service": "cloudtrail.amazonaws.com"}, NOBODY),
        (USER, {"Service": "logging.s3.amazonaws.com"}, NOBODY),
        (USER, {"Service": "*"}, NOBODY),
        (SOMEBODY, {"Service": "logging.s3.amazonaws.com"}, Naming(UNSURE)),
        (Principal(PrincipalType.UNKNOWN, None, OURS), {"Service": "logging.s3.amazonaws.com"}, NOBODY),
        (SESSION, {"Federated": "accounts.google.com"}, NOBODY),
        (FEDERATED, {"Federated": "accounts.google.com"}, NOBODY),
        (SOMEBODY, {"Federated": "accounts.google.com"}, Naming(UNSURE)),
        (USER, {"CanonicalUser": CANONICAL}, Naming(account=UNSURE)),
        (replace(USER, canonical_id=CANONICAL), {"CanonicalUser": CANONICAL}, ACCOUNT),
        (replace(USER, canonical_id="0" * 64), {"CanonicalUser": CANONICAL}, NOBODY),
        (SOMEBODY, {"CanonicalUser": CANONICAL}, Naming(account=UNSURE)),
        (ANONYMOUS, {"CanonicalUser": CANONICAL}, NOBODY),
        (SERVICE, {"CanonicalUser": CANONICAL}, NOBODY),
        (USER, {"Service": "x.amazonaws.com", "AWS": USER_ARN}, DIRECT),
    ],
)
def test_other_members(principal: Principal, element: object, naming: Naming) -> None:
    assert names(principal, element) == naming


ALL_OF_SESSION = (SESSION_ARN, ROLE_ARN, ROOT_ARN)


@pytest.mark.parametrize(
    ("principal", "listed", "denied"),
    [
        (USER, (USER_ARN, ROOT_ARN), NO),
        (USER, (USER_ARN, OURS), NO),
        (USER, (USER_ARN,), YES),
        (USER, (ROOT_ARN,), YES),
        (USER, (THEIRS,), YES),
        (USER, ("*",), NO),
        (SESSION, ALL_OF_SESSION, NO),
        (SESSION, (ROLE_ARN, ROOT_ARN), YES),
        (SESSION, (SESSION_ARN, ROOT_ARN), YES),
        (SESSION, (SESSION_ARN, ROLE_ARN), YES),
        (SESSION, (SESSION_ARN.replace("s1", "s2"), ROLE_ARN, ROOT_ARN), YES),
        (UNNAMED_SESSION, ALL_OF_SESSION, UNSURE),
        (SESSION_WITHOUT_ROLE, ALL_OF_SESSION, UNSURE),
        (FEDERATED, (FEDERATED_ARN, USER_ARN, ROOT_ARN), NO),
        (FEDERATED, (FEDERATED_ARN, ROOT_ARN), UNSURE),
        (FEDERATED, (USER_ARN, ROOT_ARN), YES),
        (FEDERATED, (FEDERATED_ARN,), YES),
        (ROOT, (ROOT_ARN,), NO),
        (ROOT, (USER_ARN,), YES),
        (ANONYMOUS, (ROOT_ARN,), YES),
        (ANONYMOUS, ("*",), NO),
        (SERVICE, (ROOT_ARN,), YES),
        (SOMEBODY, (ROOT_ARN,), UNSURE),
        (SOMEBODY, ("AIDACKCEVSQ6C2EXAMPLE",), YES),
        (Principal(PrincipalType.UNKNOWN, None, THEIRS), (USER_ARN, ROOT_ARN), YES),
        (replace(USER, bounded=YES), (USER_ARN, ROOT_ARN), YES),
        (replace(USER, bounded=UNSURE), (USER_ARN, ROOT_ARN), UNSURE),
        (replace(USER, bounded=UNSURE), (ROOT_ARN,), YES),
    ],
)
def test_not_principal_with_deny_spares_who_is_listed_in_full(
    principal: Principal, listed: tuple[str, ...], denied: Truth
) -> None:
    written = {"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": aws(*listed)}
    assert statement(written).names(principal).truth is denied


def test_not_principal_can_list_a_service() -> None:
    written = {"Effect": "Deny", "Action": "*", "Resource": "*", "NotPrincipal": {"Service": SERVICE.arn}}
    assert statement(written).names(SERVICE).truth is NO
    assert statement(written).names(USER).truth is YES


@pytest.mark.parametrize(
    ("principal", "listed", "granted"),
    [
        (USER, (THEIRS,), DIRECT),
        (ANONYMOUS, (THEIRS,), DIRECT),
        (USER, (USER_ARN, ROOT_ARN), NOBODY),
        (USER, ("*",), NOBODY),
        (USER, (USER_ARN,), Naming(UNSURE)),
        (SESSION, (ROLE_ARN, ROOT_ARN), Naming(UNSURE)),
        (SOMEBODY, (ROOT_ARN,), Naming(UNSURE)),
    ],
)
def test_not_principal_with_allow_grants_everyone_else(
    principal: Principal, listed: tuple[str, ...], granted: Naming
) -> None:
    written = {"Effect": "Allow", "Action": "*", "Resource": "*", "NotPrincipal": aws(*listed)}
    assert statement(written).names(principal) == granted


def test_a_statement_without_principal_is_about_everyone() -> None:
    assert statement({"Effect": "Allow", "Action": "*", "Resource": "*"}).names(ANONYMOUS) == DIRECT


@pytest.mark.parametrize(
    ("principal", "linked"),
    [
        (LINKED, YES),
        (SESSION, NO),
        (USER, NO),
        (SESSION_WITHOUT_ROLE, NO),
        (UNNAMED_SESSION, NO),
        (replace(LINKED, issuer=None), UNSURE),
        (replace(LINKED, issuer=None, arn=LINKED.issuer), YES),
        (SESSION_OF_NOTHING, UNSURE),
        (SOMEBODY, UNSURE),
        (ANONYMOUS, NO),
    ],
)
def test_service_linked_roles_are_told_by_their_path(principal: Principal, linked: Truth) -> None:
    assert is_service_linked(principal) is linked


@pytest.mark.parametrize(
    ("principal", "account"),
    [
        (USER, OURS),
        (replace(USER, account=None), OURS),
        (replace(SESSION, account=None, arn=None), OURS),
        (SERVICE, None),
        (ANONYMOUS, None),
        (Principal(PrincipalType.USER, "arn:aws"), None),
    ],
)
def test_the_account_of_a_caller(principal: Principal, account: str | None) -> None:
    assert account_of(principal) == account


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("*", "everyone"),
        (OURS, "account"),
        ("12345678901", "invalid"),
        (ROOT_ARN, "account"),
        (USER_ARN, "user"),
        (ROLE_ARN, "role"),
        (SESSION_ARN, "assumed-role"),
        (FEDERATED_ARN, "federated-user"),
        (f"arn:aws:sts::{OURS}:root", "invalid"),
        (f"arn:aws:sts::{OURS}:user/alice", "invalid"),
        (f"arn:aws:iam::{OURS}:assumed-role/r/s", "invalid"),
        (f"arn:aws:sts::{OURS}:assumed-role/r", "invalid"),
        (f"arn:aws:iam::{OURS}:root/x", "invalid"),
        (f"arn:aws:iam::{OURS}:user/", "invalid"),
        (f"arn:aws:iam::{OURS}:user", "invalid"),
        ("AIDACKCEVSQ6C2EXAMPLE", "deleted"),
        ("AROACKCEVSQ6C2EXAMPLE", "deleted"),
        ("alice", "invalid"),
    ],
)
def test_forms_of_aws_principals(text: str, kind: str) -> None:
    assert named_aws(text).kind == kind
