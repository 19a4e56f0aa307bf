"""The grant matrix row by row, both sides across accounts, every layer, and who stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import UNKNOWN_POLICIES, PolicyList
from denyproxy.iam.evaluation import (
    Blocks,
    Decision,
    Grant,
    Objection,
    PolicySet,
    ResourceLayer,
    decide,
    evaluate,
)
from denyproxy.iam.principal import ANONYMOUS, Principal, PrincipalType
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
    UNSURE,
    USER,
    USER_ARN,
    YES,
    allow,
    context,
    deny,
    policies,
    policy,
    request,
)

ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
ALLOWS, DENIES, SILENT = policies(allow()), policies(deny()), policies(allow("s3:ListBucket"))
MAYBE: dict[str, Any] = {"Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}
MAY_ALLOW, MAY_DENY = policies(allow(**MAYBE)), policies(deny(**MAYBE))
UNKNOWN_KEY = context({}, "aws:SourceVpce")


def to(*principals: str, **more: Any) -> dict[str, Any]:
    return allow(Principal={"AWS": list(principals)}, **more)


EVERYONE = allow(Principal="*")


def bucket(*statements: dict[str, Any], **more: Any) -> ResourceLayer:
    return ResourceLayer("bucket-policy", policies(*statements), **more)


def point(*statements: dict[str, Any], **more: Any) -> ResourceLayer:
    return ResourceLayer("access-point-policy", policies(*statements), **more)


def key(*statements: dict[str, Any], **more: Any) -> ResourceLayer:
    return ResourceLayer("kms-key-policy", policies(*statements), **more)


def own(*layers: ResourceLayer, **more: Any) -> PolicySet:
    return PolicySet(same_account=YES, resource=layers or (bucket(),), **more)


def foreign(*layers: ResourceLayer, **more: Any) -> PolicySet:
    return PolicySet(same_account=NO, resource=layers or (bucket(),), **more)


def possible(principal: Principal, policy_set: PolicySet, keys: RequestContext | None = None) -> set[Decision]:
    asked = request(principal, keys=keys)
    evaluation = evaluate(asked, policy_set)
    assert decide(asked, policy_set) == evaluation.possible
    return set(evaluation.possible)


def objections(
    principal: Principal, policy_set: PolicySet, keys: RequestContext | None = None
) -> list[tuple[str, str, Truth]]:
    evaluation = evaluate(request(principal, keys=keys), policy_set)
    return [(one.layer, one.blocks.value, one.truth) for one in evaluation.objections]


FEDERATED_STAR = to("*")


@pytest.mark.parametrize(
    ("principal", "granted", "alone", "despite_boundary", "despite_session"),
    [
        pytest.param(USER, to(USER_ARN), True, True, True, id="user"),
        pytest.param(FEDERATED, to(USER_ARN), True, False, False, id="user-of-federated-session"),
        pytest.param(SESSION, to(ROLE_ARN), True, False, False, id="role"),
        pytest.param(SESSION, to(SESSION_ARN), True, True, True, id="role-session"),
        pytest.param(FEDERATED, to(FEDERATED_ARN), True, True, True, id="federated-user"),
        pytest.param(USER, EVERYONE, True, True, True, id="everyone-user"),
        pytest.param(SESSION, EVERYONE, True, True, True, id="everyone-session"),
        pytest.param(FEDERATED, FEDERATED_STAR, True, True, True, id="everyone-federated"),
        pytest.param(
            SESSION,
            {**EVERYONE, "Condition": {"ArnEquals": {"aws:PrincipalArn": ROLE_ARN}}},
            True,
            True,
            True,
            id="principal-arn",
        ),
        pytest.param(USER, to(ROOT_ARN), False, False, False, id="account-root"),
        pytest.param(SESSION, to(OURS), False, False, False, id="account-id"),
        pytest.param(FEDERATED, to(OURS), False, False, False, id="account-federated"),
    ],
)
def test_the_grant_matrix_in_one_account(
    principal: Principal, granted: dict[str, Any], alone: bool, despite_boundary: bool, despite_session: bool
) -> None:
    keys = context({"aws:PrincipalArn": ROLE_ARN})
    resource = bucket(granted)
    # A federated session has permissions of its own only where a session policy was passed.
    session = ALLOWS if principal.type is PrincipalType.FEDERATED else None

    def outcome(**more: Any) -> set[Decision]:
        return possible(principal, own(resource, **{"session": session, **more}), keys)

    assert outcome() == {ALLOWED if alone else IMPLICIT}
    assert outcome(identity=ALLOWS) == {ALLOWED}
    assert outcome(boundary=SILENT) == {ALLOWED if despite_boundary else IMPLICIT}
    assert outcome(session=SILENT) == {ALLOWED if despite_session else IMPLICIT}
    assert outcome(identity=ALLOWS, boundary=SILENT) == {ALLOWED if despite_boundary else IMPLICIT}
    assert outcome(identity=ALLOWS, session=SILENT) == {ALLOWED if despite_session else IMPLICIT}
    assert outcome(identity=ALLOWS, boundary=ALLOWS, session=ALLOWS) == {ALLOWED}
    for layer in ("identity", "boundary", "session"):
        assert outcome(**{layer: DENIES}) == {EXPLICIT}
    assert outcome(scp=(SILENT,)) == {IMPLICIT}
    assert outcome(scp=(ALLOWS, DENIES)) == {EXPLICIT}
    assert outcome(rcp=(DENIES,)) == {EXPLICIT}
    assert outcome(vpc_endpoint=SILENT) == {IMPLICIT}
    assert outcome(vpc_endpoint=ALLOWS) == {ALLOWED if alone else IMPLICIT}


@pytest.mark.parametrize(
    ("principal", "granted"),
    [
        (USER, to(USER_ARN)),
        (USER, to(ROOT_ARN)),
        (USER, to(OURS)),
        (USER, EVERYONE),
        (SESSION, to(ROLE_ARN)),
        (SESSION, to(SESSION_ARN)),
        (FEDERATED, to(FEDERATED_ARN)),
        (FEDERATED, to(USER_ARN)),
    ],
)
def test_across_accounts_both_sides_must_allow(principal: Principal, granted: dict[str, Any]) -> None:
    session = ALLOWS if principal.type is PrincipalType.FEDERATED else None

    def outcome(*layers: ResourceLayer, **more: Any) -> set[Decision]:
        return possible(principal, foreign(*layers, **{"session": session, **more}))

    assert outcome(bucket(granted), identity=ALLOWS) == {ALLOWED}
    assert outcome(bucket(granted)) == {IMPLICIT}
    assert outcome(bucket(), identity=ALLOWS) == {IMPLICIT}
    assert outcome(bucket(granted), identity=ALLOWS, boundary=SILENT) == {IMPLICIT}
    assert outcome(bucket(granted), identity=ALLOWS, session=SILENT) == {IMPLICIT}
    assert outcome(bucket(granted), identity=ALLOWS, scp=(SILENT,)) == {IMPLICIT}
    assert outcome(bucket(granted), identity=ALLOWS, vpc_endpoint=SILENT) == {IMPLICIT}
    assert outcome(bucket(granted), identity=ALLOWS, rcp=(DENIES,)) == {EXPLICIT}
    assert outcome(bucket(granted, deny(Principal="*")), identity=ALLOWS) == {EXPLICIT}


@pytest.mark.parametrize("layer", ["identity", "boundary", "session", "vpc_endpoint"])
def test_a_deny_wins_in_every_layer(layer: str) -> None:
    both: dict[str, Any] = {layer: policies(allow(), deny())}
    policy_set = replace(own(bucket(EVERYONE), identity=ALLOWS), **both)
    assert possible(USER, policy_set) == {EXPLICIT}
    names = {"boundary": "permissions-boundary", "session": "session-policy", "vpc_endpoint": "vpc-endpoint-policy"}
    assert objections(USER, policy_set) == [(names.get(layer, layer), "explicit", YES)]


def test_nothing_at_all_is_an_implicit_deny() -> None:
    assert possible(USER, own()) == {IMPLICIT}
    assert objections(USER, own()) == [("identity", "implicit", YES)]
    assert objections(USER, foreign()) == [("bucket-policy", "implicit", YES), ("identity", "implicit", YES)]
    assert objections(ANONYMOUS, foreign()) == [("bucket-policy", "implicit", YES)]


# Kinds of principals


def test_the_root_user_needs_no_identity_policy_and_has_no_boundary() -> None:
    assert possible(ROOT, own()) == {ALLOWED}
    assert possible(ROOT, own(identity=UNKNOWN_POLICIES, boundary=UNKNOWN_POLICIES)) == {ALLOWED}
    assert possible(ROOT, own(identity=DENIES, boundary=DENIES)) == {ALLOWED}
    assert possible(ROOT, own(scp=(SILENT,))) == {IMPLICIT}
    assert possible(ROOT, own(bucket(deny(Principal={"AWS": ROOT_ARN})))) == {EXPLICIT}
    assert possible(ROOT, own(session=SILENT)) == {IMPLICIT}
    assert possible(ROOT, foreign()) == {IMPLICIT}
    assert possible(ROOT, foreign(bucket(to(ROOT_ARN)))) == {ALLOWED}


@pytest.mark.parametrize("same_account", list(Truth))
def test_anonymous_callers_have_the_resource_side_alone(same_account: Truth) -> None:
    caller_side = {"identity": DENIES, "boundary": DENIES, "session": DENIES, "scp": (DENIES,)}
    policy_set = replace(foreign(bucket(EVERYONE), **caller_side), same_account=same_account)
    assert possible(ANONYMOUS, policy_set) == {ALLOWED}
    assert possible(ANONYMOUS, replace(policy_set, resource=(bucket(to(OURS)),))) == {IMPLICIT}
    assert possible(ANONYMOUS, replace(policy_set, rcp=(DENIES,))) == {EXPLICIT}
    assert possible(ANONYMOUS, replace(policy_set, vpc_endpoint=SILENT)) == {IMPLICIT}


def test_anonymous_callers_are_granted_by_not_principal_with_allow() -> None:
    assert possible(ANONYMOUS, foreign(bucket(allow(NotPrincipal={"AWS": OURS})))) == {ALLOWED}


def test_service_principals_have_the_resource_side_alone() -> None:
    granted = bucket(allow(Principal={"Service": SERVICE.arn}))
    assert possible(SERVICE, own(granted, scp=(DENIES,), identity=DENIES)) == {ALLOWED}
    assert possible(SERVICE, own()) == {IMPLICIT}
    assert possible(SERVICE, own(granted, rcp=(DENIES,))) == {EXPLICIT}
    assert possible(SERVICE, own(bucket(to(OURS)))) == {IMPLICIT}


def test_service_linked_roles_are_exempt_from_organization_and_boundary() -> None:
    guarded = own(identity=ALLOWS, scp=(DENIES,), rcp=(DENIES,), boundary=DENIES)
    assert possible(LINKED, guarded) == {ALLOWED}
    assert possible(SESSION, guarded) == {EXPLICIT}
    assert possible(LINKED, replace(guarded, session=DENIES)) == {EXPLICIT}
    assert possible(LINKED, replace(guarded, identity=SILENT)) == {IMPLICIT}
    perhaps = replace(LINKED, issuer=None)
    assert possible(perhaps, guarded) == {ALLOWED, EXPLICIT, IMPLICIT}
    assert possible(perhaps, own(identity=ALLOWS, scp=(policies(allow(), deny()),))) == {ALLOWED, EXPLICIT}
    assert possible(perhaps, own(identity=ALLOWS, boundary=SILENT)) == {ALLOWED, IMPLICIT}


def test_a_federated_session_without_session_policy_has_only_what_names_it() -> None:
    assert possible(FEDERATED, own(identity=ALLOWS)) == {IMPLICIT}
    assert possible(FEDERATED, own(bucket(to(USER_ARN)), identity=ALLOWS)) == {IMPLICIT}
    assert possible(FEDERATED, own(bucket(to(FEDERATED_ARN)))) == {ALLOWED}
    assert possible(FEDERATED, own(identity=ALLOWS, session=ALLOWS)) == {ALLOWED}
    assert possible(FEDERATED, own(identity=ALLOWS, session=UNKNOWN_POLICIES)) == {ALLOWED, EXPLICIT, IMPLICIT}
    assert objections(FEDERATED, own(identity=ALLOWS)) == [("session-policy", "implicit", YES)]


def test_a_caller_of_unknown_kind_may_be_anyone() -> None:
    assert possible(SOMEBODY, own(bucket(EVERYONE), scp=(SILENT,))) == {ALLOWED, IMPLICIT}
    assert possible(SOMEBODY, own(identity=SILENT)) == {ALLOWED, IMPLICIT}
    assert possible(SOMEBODY, own(identity=DENIES)) == {ALLOWED, EXPLICIT, IMPLICIT}
    assert possible(SOMEBODY, own(bucket(deny(Principal="*")))) == {EXPLICIT}
    assert possible(SOMEBODY, foreign()) == {IMPLICIT}
    assert possible(SOMEBODY, own(identity=ALLOWS, session=SILENT, boundary=SILENT)) == {ALLOWED, IMPLICIT}
    assert possible(SOMEBODY, own(identity=policies(allow(), deny()))) == {ALLOWED, EXPLICIT}
    assert possible(SOMEBODY, own(identity=ALLOWS, rcp=(DENIES,))) == {ALLOWED, EXPLICIT}


# Layers


def test_every_organization_level_must_allow() -> None:
    everything = policies(allow("*"))
    assert possible(USER, own(identity=ALLOWS, scp=(everything, everything, ALLOWS))) == {ALLOWED}
    assert possible(USER, own(identity=ALLOWS, scp=())) == {ALLOWED}
    evaluation = evaluate(request(), own(identity=ALLOWS, scp=(everything, SILENT, everything, SILENT)))
    assert evaluation.decision is IMPLICIT
    assert evaluation.objections == (
        Objection("scp", Blocks.IMPLICIT, YES, 1),
        Objection("scp", Blocks.IMPLICIT, YES, 3),
    )


def test_policies_of_a_layer_add_up_whatever_comes_first() -> None:
    many = PolicyList((*ALLOWS.policies, *SILENT.policies, *MAY_ALLOW.policies, *ALLOWS.policies))
    assert possible(USER, own(identity=many), UNKNOWN_KEY) == {ALLOWED}
    assert possible(USER, own(identity=PolicyList((*many.policies, *MAY_DENY.policies))), UNKNOWN_KEY) == {
        ALLOWED,
        EXPLICIT,
    }
    assert possible(USER, own(identity=PolicyList((*many.policies, *DENIES.policies))), UNKNOWN_KEY) == {EXPLICIT}
    resource = PolicyList(tuple(policy(one) for one in (EVERYONE, to(ROLE_ARN), deny(Principal="*", **MAYBE))))
    layer = ResourceLayer("bucket-policy", resource)
    assert possible(USER, own(layer), UNKNOWN_KEY) == {ALLOWED, EXPLICIT}
    assert possible(USER, own(layer)) == {ALLOWED}
    maybe = policies(
        allow(Principal="*", **MAYBE), to(USER_ARN, **MAYBE), to(USER_ARN), deny(Principal={"AWS": ROLE_ARN})
    )
    assert possible(USER, own(ResourceLayer("bucket-policy", maybe)), UNKNOWN_KEY) == {ALLOWED}


NEVER: dict[str, Any] = {"Condition": {"StringEquals": {"aws:SourceVpce": []}}}


@pytest.mark.parametrize("of_resource", [False, True])
@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_the_strongest_statement_counts_whatever_its_place(of_resource: bool, order: tuple[int, ...]) -> None:
    def layer(effect: Callable[..., dict[str, Any]], kinds: list[dict[str, Any]]) -> PolicySet:
        everyone = {"Principal": "*"} if of_resource else {}
        written = [effect(**everyone, **kinds[index]) for index in order]
        if of_resource:
            return own(bucket(*written), identity=policies(allow("s3:ListBucket")))
        return own(identity=policies(*written))

    assert possible(USER, layer(allow, [{}, MAYBE, NEVER]), UNKNOWN_KEY) == {ALLOWED}
    assert possible(USER, layer(allow, [NEVER, MAYBE, NEVER]), UNKNOWN_KEY) == {ALLOWED, IMPLICIT}
    assert possible(USER, layer(deny, [{}, MAYBE, NEVER]), UNKNOWN_KEY) == {EXPLICIT}
    assert possible(USER, layer(deny, [NEVER, MAYBE, NEVER]), UNKNOWN_KEY) == {EXPLICIT, IMPLICIT}


@pytest.mark.parametrize(
    ("grant", "expected", "bounded"),
    [
        (Grant(), {ALLOWED, EXPLICIT, IMPLICIT}, {ALLOWED, EXPLICIT, IMPLICIT}),
        (Grant(account=YES), {ALLOWED, EXPLICIT, IMPLICIT}, {ALLOWED, EXPLICIT, IMPLICIT}),
        (Grant(issuer=YES), {ALLOWED, EXPLICIT}, {ALLOWED, EXPLICIT, IMPLICIT}),
        (Grant(direct=YES), {ALLOWED, EXPLICIT}, {ALLOWED, EXPLICIT}),
    ],
)
def test_other_grants_beside_a_policy_that_is_not_known(
    grant: Grant, expected: set[Decision], bounded: set[Decision]
) -> None:
    layer = ResourceLayer("bucket-policy", UNKNOWN_POLICIES, other_grant=grant)
    assert possible(USER, own(layer)) == expected
    assert possible(USER, own(layer, boundary=SILENT)) == bounded
    said = evaluate(request(), own(layer)).layers["bucket-policy"].grant
    assert said == Grant(*(max(UNSURE, one) for one in (grant.direct, grant.issuer, grant.account)))


def test_policies_of_one_level_add_up() -> None:
    level = PolicyList((policy(allow("s3:ListBucket")), policy(allow("s3:GetObject"))))
    assert possible(USER, own(identity=ALLOWS, scp=(level,))) == {ALLOWED}


def test_an_scp_may_allow_under_a_condition() -> None:
    level = policies(allow("*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))
    assert possible(USER, own(identity=ALLOWS, scp=(level,)), context({"aws:RequestedRegion": "eu-west-1"})) == {
        ALLOWED
    }
    assert possible(USER, own(identity=ALLOWS, scp=(level,)), context({"aws:RequestedRegion": "us-east-1"})) == {
        IMPLICIT
    }


def test_one_level_that_denies_is_enough() -> None:
    everything = policies(allow("*"))
    for levels in ((everything, policies(allow("*"), deny())), (policies(allow("*"), deny()), everything)):
        assert objections(USER, own(identity=ALLOWS, scp=levels)) == [("scp", "explicit", YES)]
        assert objections(USER, own(identity=ALLOWS, rcp=levels)) == [("rcp", "explicit", YES)]


@pytest.mark.parametrize(
    ("scp", "allow_of_all"),
    [(None, YES), ((), YES), ((ALLOWS, SILENT), NO), ((ALLOWS, MAY_ALLOW), UNSURE), ((ALLOWS, ALLOWS), YES)],
)
def test_the_levels_of_an_organization_allow_together(scp: Any, allow_of_all: Truth) -> None:
    layer = evaluate(request(keys=UNKNOWN_KEY), own(identity=ALLOWS, scp=scp)).layers["scp"]
    assert (layer.deny, layer.allow) == (NO, allow_of_all)


def test_an_rcp_never_denies_implicitly() -> None:
    for rcp in ((), (policies(),), (SILENT, SILENT)):
        assert possible(USER, own(identity=ALLOWS, rcp=rcp)) == {ALLOWED}


def test_the_endpoint_policy_may_name_principals() -> None:
    assert possible(USER, own(identity=ALLOWS, vpc_endpoint=policies(to(USER_ARN)))) == {ALLOWED}
    assert possible(USER, own(identity=ALLOWS, vpc_endpoint=policies(to(ROLE_ARN)))) == {IMPLICIT}
    assert possible(USER, own(identity=ALLOWS, vpc_endpoint=policies(EVERYONE))) == {ALLOWED}
    denies_other = policies(EVERYONE, deny(Principal={"AWS": ROLE_ARN}))
    assert possible(USER, own(identity=ALLOWS, vpc_endpoint=denies_other)) == {ALLOWED}


def test_a_resource_layer_may_be_asked_about_a_resource_of_its_own() -> None:
    layer = bucket(allow(resource="arn:aws:s3:::other/k", Principal="*"))
    assert possible(USER, own(layer)) == {IMPLICIT}
    assert possible(USER, own(replace(layer, resource="arn:aws:s3:::other/k"))) == {ALLOWED}
    assert possible(USER, own(bucket(allow(resource="arn:aws:s3:::b/k", Principal="*")))) == {ALLOWED}
    assert possible(USER, own(replace(layer, resource="arn:aws:s3:::b/k"))) == {IMPLICIT}


def test_two_resource_layers_must_both_grant_where_a_grant_is_needed() -> None:
    assert possible(USER, foreign(point(EVERYONE), bucket(EVERYONE), identity=ALLOWS)) == {ALLOWED}
    assert possible(USER, foreign(point(EVERYONE), bucket(), identity=ALLOWS)) == {IMPLICIT}
    assert possible(USER, foreign(point(), bucket(EVERYONE), identity=ALLOWS)) == {IMPLICIT}
    assert possible(USER, own(point(), bucket(), identity=ALLOWS)) == {ALLOWED}
    assert possible(USER, own(point(EVERYONE), bucket(EVERYONE))) == {ALLOWED}
    assert possible(USER, own(point(EVERYONE), bucket())) == {IMPLICIT}
    assert possible(USER, own(point(deny(Principal="*")), bucket(EVERYONE), identity=ALLOWS)) == {EXPLICIT}


def test_two_resource_layers_are_worth_the_weaker_grant() -> None:
    both = (point(EVERYONE), bucket(to(ROLE_ARN)))
    assert possible(SESSION, own(*both)) == {ALLOWED}
    assert possible(SESSION, own(*both, boundary=SILENT)) == {IMPLICIT}
    assert possible(SESSION, own(point(to(ROLE_ARN)), bucket(to(OURS)))) == {IMPLICIT}
    assert possible(SESSION, foreign(point(to(ROLE_ARN)), bucket(to(OURS)), identity=ALLOWS)) == {ALLOWED}
    assert objections(USER, foreign(point(EVERYONE), bucket(), identity=ALLOWS)) == [("bucket-policy", "implicit", YES)]


@pytest.mark.parametrize(
    ("grant", "alone", "despite_boundary", "across"),
    [
        (Grant(direct=YES), True, True, True),
        (Grant(issuer=YES), True, False, True),
        (Grant(account=YES), False, False, True),
        (Grant(), False, False, False),
    ],
)
def test_other_grants_count_like_those_of_the_policy(
    grant: Grant, alone: bool, despite_boundary: bool, across: bool
) -> None:
    for layer in (bucket(other_grant=grant), bucket(EVERYONE, other_grant=grant, deny_only=True)):
        assert possible(USER, own(layer)) == {ALLOWED if alone else IMPLICIT}
        assert possible(USER, own(layer, boundary=SILENT)) == {ALLOWED if despite_boundary else IMPLICIT}
        assert possible(USER, foreign(layer, identity=ALLOWS)) == {ALLOWED if across else IMPLICIT}


def test_a_layer_that_can_only_deny_still_denies() -> None:
    assert possible(USER, own(bucket(deny(Principal="*"), deny_only=True), identity=ALLOWS)) == {EXPLICIT}
    unknown = ResourceLayer("bucket-policy", UNKNOWN_POLICIES, deny_only=True)
    assert possible(USER, own(unknown)) == {EXPLICIT, IMPLICIT}
    assert evaluate(request(), own(unknown)).layers["bucket-policy"].grant == Grant()


@pytest.mark.parametrize(
    ("statements", "identity", "decision", "standing"),
    [
        ([], policies(), IMPLICIT, ["kms-key-policy", "identity"]),
        ([], ALLOWS, IMPLICIT, ["kms-key-policy"]),
        ([to(ROOT_ARN)], policies(), IMPLICIT, ["identity"]),
        ([to(ROOT_ARN)], ALLOWS, ALLOWED, []),
        ([to(USER_ARN)], policies(), ALLOWED, []),
        ([EVERYONE], policies(), ALLOWED, []),
        ([allow("kms:*", Principal={"AWS": ROOT_ARN})], ALLOWS, IMPLICIT, ["kms-key-policy"]),
    ],
)
def test_where_the_resource_must_delegate(
    statements: list[dict[str, Any]], identity: PolicyList, decision: Decision, standing: list[str]
) -> None:
    policy_set = own(key(*statements), identity=identity, resource_must_delegate=True)
    assert possible(USER, policy_set) == {decision}
    assert [layer for layer, _, truth in objections(USER, policy_set) if truth is YES] == standing


def test_a_key_policy_is_no_exception_for_the_root_user() -> None:
    assert possible(ROOT, own(key(), resource_must_delegate=True)) == {IMPLICIT}
    assert possible(ROOT, own(key(to(OURS)), resource_must_delegate=True)) == {ALLOWED}


def test_a_role_granted_by_the_key_policy_needs_no_delegation_but_its_boundary() -> None:
    policy_set = own(key(to(ROLE_ARN)), resource_must_delegate=True)
    assert possible(SESSION, policy_set) == {ALLOWED}
    assert possible(SESSION, replace(policy_set, boundary=SILENT)) == {IMPLICIT}
    assert possible(SESSION, replace(policy_set, same_account=NO)) == {IMPLICIT}


def test_without_any_resource_layer_nothing_can_be_granted_across_accounts() -> None:
    alone = PolicySet(same_account=YES, identity=ALLOWS)
    assert possible(USER, alone) == {ALLOWED}
    assert possible(USER, replace(alone, identity=policies())) == {IMPLICIT}
    assert possible(USER, replace(alone, same_account=NO)) == {IMPLICIT}
    assert objections(USER, replace(alone, same_account=NO)) == [("resource-policy", "implicit", YES)]
    assert objections(ANONYMOUS, alone) == [("resource-policy", "implicit", YES)]


# What is not known


@pytest.mark.parametrize(
    ("policy_set", "expected"),
    [
        (own(identity=UNKNOWN_POLICIES), {ALLOWED, EXPLICIT, IMPLICIT}),
        (own(identity=PolicyList(ALLOWS.policies, complete=False)), {ALLOWED, EXPLICIT}),
        (own(identity=PolicyList(DENIES.policies, complete=False)), {EXPLICIT}),
        (own(identity=ALLOWS, boundary=UNKNOWN_POLICIES), {ALLOWED, EXPLICIT, IMPLICIT}),
        (own(identity=SILENT, boundary=UNKNOWN_POLICIES), {EXPLICIT, IMPLICIT}),
        (own(identity=ALLOWS, session=UNKNOWN_POLICIES), {ALLOWED, EXPLICIT, IMPLICIT}),
        (own(identity=ALLOWS, scp=(UNKNOWN_POLICIES,)), {ALLOWED, EXPLICIT, IMPLICIT}),
        (own(identity=ALLOWS, rcp=(UNKNOWN_POLICIES,)), {ALLOWED, EXPLICIT}),
        (own(identity=SILENT, rcp=(UNKNOWN_POLICIES,)), {EXPLICIT, IMPLICIT}),
        (own(identity=ALLOWS, vpc_endpoint=UNKNOWN_POLICIES), {ALLOWED, EXPLICIT, IMPLICIT}),
        (own(ResourceLayer("bucket-policy", UNKNOWN_POLICIES), identity=ALLOWS), {ALLOWED, EXPLICIT}),
        (own(ResourceLayer("bucket-policy", UNKNOWN_POLICIES)), {ALLOWED, EXPLICIT, IMPLICIT}),
        (foreign(ResourceLayer("bucket-policy", UNKNOWN_POLICIES)), {EXPLICIT, IMPLICIT}),
        (own(identity=MAY_ALLOW), {ALLOWED, IMPLICIT}),
        (own(identity=MAY_DENY), {EXPLICIT, IMPLICIT}),
        (own(bucket(EVERYONE), identity=MAY_DENY), {ALLOWED, EXPLICIT}),
        (own(identity=policies(allow(), deny(**MAYBE))), {ALLOWED, EXPLICIT}),
        (own(bucket(allow(Principal="*", **MAYBE))), {ALLOWED, IMPLICIT}),
        (own(bucket(deny(Principal="*", **MAYBE), EVERYONE)), {ALLOWED, EXPLICIT}),
        (replace(own(bucket(EVERYONE)), same_account=UNSURE), {ALLOWED, IMPLICIT}),
        (replace(own(identity=ALLOWS), same_account=UNSURE), {ALLOWED, IMPLICIT}),
        (replace(own(bucket(EVERYONE), identity=ALLOWS), same_account=UNSURE), {ALLOWED}),
        (replace(own(identity=SILENT), same_account=UNSURE), {IMPLICIT}),
    ],
)
def test_what_is_not_known_leaves_decisions_open(policy_set: PolicySet, expected: set[Decision]) -> None:
    assert possible(USER, policy_set, UNKNOWN_KEY) == expected
    assert (evaluate(request(keys=UNKNOWN_KEY), policy_set).decision is None) is (len(expected) > 1)


def test_objections_are_certain_only_if_they_deny_whatever_is_not_known() -> None:
    assert objections(USER, own(identity=MAY_ALLOW), UNKNOWN_KEY) == [("identity", "implicit", UNSURE)]
    assert objections(USER, own(identity=UNKNOWN_POLICIES)) == [
        ("identity", "explicit", UNSURE),
        ("identity", "implicit", UNSURE),
    ]
    either = replace(own(), same_account=UNSURE)
    assert objections(USER, either) == [("bucket-policy", "implicit", UNSURE), ("identity", "implicit", YES)]
    public = replace(own(bucket(EVERYONE)), same_account=UNSURE)
    assert objections(USER, public) == [("identity", "implicit", UNSURE)]
    bounded = replace(own(bucket(EVERYONE), identity=ALLOWS, boundary=SILENT), same_account=UNSURE)
    assert objections(USER, bounded) == [("permissions-boundary", "implicit", UNSURE)]
    across = foreign(bucket(EVERYONE), identity=ALLOWS, boundary=SILENT, session=SILENT)
    assert objections(USER, across) == [
        ("permissions-boundary", "implicit", YES),
        ("session-policy", "implicit", YES),
    ]


def test_objections_come_explicit_first_then_implicit_each_in_order() -> None:
    deny_all = policies(deny())
    policy_set = foreign(
        point(deny(Principal="*")),
        bucket(deny(Principal="*")),
        identity=deny_all,
        boundary=deny_all,
        session=deny_all,
        scp=(deny_all, deny_all),
        rcp=(deny_all,),
        vpc_endpoint=deny_all,
    )
    evaluation = evaluate(request(), policy_set)
    order = [
        "scp",
        "rcp",
        "vpc-endpoint-policy",
        "access-point-policy",
        "bucket-policy",
        "identity",
        "permissions-boundary",
        "session-policy",
    ]
    assert [one.layer for one in evaluation.objections if one.blocks is Blocks.EXPLICIT] == order
    implicit = [(one.layer, one.level) for one in evaluation.objections if one.blocks is Blocks.IMPLICIT]
    assert implicit == [("scp", 0), ("scp", 1), *((layer, None) for layer in order[2:])]
    kinds = [one.blocks for one in evaluation.objections]
    assert kinds == [Blocks.EXPLICIT] * 8 + [Blocks.IMPLICIT] * 8


def test_the_evidence_names_every_layer() -> None:
    policy_set = own(
        bucket(to(USER_ARN), to(ROOT_ARN), deny("s3:PutObject", Principal="*")),
        identity=ALLOWS,
        scp=(policies(allow("*")), policies(allow("*"), deny("s3:*", "arn:aws:s3:::other"))),
        rcp=(policies(deny(Principal="*", **MAYBE)),),
    )
    layers = evaluate(request(keys=UNKNOWN_KEY), policy_set).layers
    assert {name: (layer.deny, layer.allow) for name, layer in layers.items()} == {
        "scp": (NO, YES),
        "rcp": (UNSURE, YES),
        "vpc-endpoint-policy": (NO, YES),
        "bucket-policy": (NO, YES),
        "identity": (NO, YES),
        "permissions-boundary": (NO, YES),
        "session-policy": (NO, YES),
    }
    assert all(layer.layer == name for name, layer in layers.items())
    assert layers["bucket-policy"].grant == Grant(YES, NO, YES)
    assert layers["identity"].grant is None
    assert [truth for _, _, truth in layers["scp"].statements] == [YES, YES, NO]
    assert [(p.name, s.label, truth) for p, s, truth in layers["bucket-policy"].statements] == [
        ("p", "Statement[0]", YES),
        ("p", "Statement[1]", YES),
    ]


def test_an_evaluation_keeps_its_request() -> None:
    asked = request()
    assert evaluate(asked, own()).request is asked
