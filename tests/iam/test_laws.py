"""What holds for all policies and requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from denyproxy.iam.context import RequestContext
from denyproxy.iam.document import NO_POLICIES, Policy, PolicyList
from denyproxy.iam.evaluation import (
    AuthorizationRequest,
    Blocks,
    Decision,
    Evaluation,
    Grant,
    PolicySet,
    ResourceLayer,
    decide,
    evaluate,
)
from denyproxy.iam.examination import examine
from denyproxy.iam.principal import Principal, PrincipalType
from denyproxy.iam.truth import Truth
from tests.iam.build import NEW, ROLE_ARN, SESSION, USER, context, matches, policy
from tests.iam.worlds import (
    DENYING,
    DOMAIN,
    FULL,
    OPERATORS,
    PRINCIPALS,
    SETS,
    complete_keys,
    lines,
    policy_lists,
    policy_sets,
    requests,
    unsure_or,
    world_of,
)

NO, UNSURE, YES = Truth.NO, Truth.UNKNOWN, Truth.YES
ALLOWED, EXPLICIT, IMPLICIT = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
LAYERS = ("identity", "boundary", "session", "vpc_endpoint")
LEVELS = ("scp", "rcp")

law = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

everything_unknown = st.frozensets(st.sampled_from([*DOMAIN, *SETS]))


@st.composite
def uncertain_requests(draw: st.DrawFn) -> AuthorizationRequest:
    asked = draw(requests())
    unknown = draw(everything_unknown)
    known = {key: values for key, values in asked.context.present.items() if key not in unknown}
    principal = replace(asked.principal, bounded=draw(unsure_or))
    if draw(st.integers(0, 5)) == 0:
        principal = replace(principal, issuer=None)
    if draw(st.integers(0, 9)) == 0:
        principal = Principal(PrincipalType.UNKNOWN)
    return replace(asked, principal=principal, context=RequestContext(known, unknown))


def map_lists(policy_set: PolicySet, change: Callable[[PolicyList], PolicyList]) -> PolicySet:
    """The same layers with every list of policies changed."""
    changes: dict[str, Any] = {}
    for name in LAYERS:
        layer = getattr(policy_set, name)
        changes[name] = None if layer is None else change(layer)
    for name in LEVELS:
        levels = getattr(policy_set, name)
        changes[name] = None if levels is None else tuple(map(change, levels))
    resource = tuple(replace(layer, policies=change(layer.policies)) for layer in policy_set.resource)
    return replace(policy_set, resource=resource, **changes)


@law
@given(uncertain_requests(), policy_sets(), st.data())
def test_the_fast_path_decides_as_the_evidence_does(
    asked: AuthorizationRequest, policy_set: PolicySet, data: st.DataObject
) -> None:
    policy_set = replace(policy_set, same_account=data.draw(st.sampled_from(list(Truth))))
    policy_set = map_lists(policy_set, lambda layer: replace(layer, complete=data.draw(st.integers(0, 5)) > 0))
    evaluation = evaluate(asked, policy_set)
    assert decide(asked, policy_set) == evaluation.possible
    assert evaluation.possible
    _check_objections(evaluation)


def _check_objections(evaluation: Evaluation) -> None:
    explicit = [one.truth for one in evaluation.objections if one.blocks is Blocks.EXPLICIT]
    implicit = [one.truth for one in evaluation.objections if one.blocks is Blocks.IMPLICIT]
    assert NO not in explicit
    assert NO not in implicit
    assert (EXPLICIT in evaluation.possible) is bool(explicit)
    assert (evaluation.possible == {EXPLICIT}) is (YES in explicit)
    if IMPLICIT in evaluation.possible:
        assert implicit
    if YES in implicit:
        assert ALLOWED not in evaluation.possible


@law
@given(requests(), policy_sets())
def test_in_a_known_world_there_is_one_decision(asked: AuthorizationRequest, policy_set: PolicySet) -> None:
    certain = tuple(
        replace(layer, other_grant=Grant(*(Truth.of(truth is YES) for truth in _fields(layer.other_grant))))
        for layer in policy_set.resource
    )
    # What an Allow means to a caller whom its NotPrincipal lists in part is not documented.
    stored = (one for layer in certain for written in layer.policies.policies for one in written.statements)
    assume(not any(one.not_principal and one.effect == "Allow" for one in stored))
    # Nor is whether a key that is present without a value counts as one that does not exist, for IfExists.
    assume(all(asked.context.present.values()))
    evaluation = evaluate(asked, replace(policy_set, resource=certain))
    assert len(evaluation.possible) == 1
    assert all(one.truth is YES for one in evaluation.objections)


def _fields(grant: Grant) -> tuple[Truth, Truth, Truth]:
    return grant.direct, grant.issuer, grant.account


DENY_ALL = policy({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}, name="deny")
OUTSIDERS = (PrincipalType.ANONYMOUS, PrincipalType.SERVICE)
PLAIN = (PrincipalType.USER, PrincipalType.FEDERATED)


@law
@given(requests(), policy_sets(), st.data())
def test_a_deny_wins_wherever_it_stands(
    asked: AuthorizationRequest, policy_set: PolicySet, data: st.DataObject
) -> None:
    names = ["resource", "vpc_endpoint"]
    if asked.principal.type in PLAIN:
        names += ["identity", "boundary", "session", "scp", "rcp"]
    name = data.draw(st.sampled_from(names))

    def denied(layer: PolicyList | None) -> PolicyList:
        return PolicyList((*(layer.policies if layer else ()), DENY_ALL))

    if name == "resource":
        *others, last = policy_set.resource or (ResourceLayer("bucket-policy"),)
        changed = replace(policy_set, resource=(*others, replace(last, policies=denied(last.policies))))
    elif name in LEVELS:
        levels = getattr(policy_set, name) or (None,)
        in_levels: dict[str, Any] = {name: (*levels[:-1], denied(levels[-1]))}
        changed = replace(policy_set, **in_levels)
    else:
        in_layer: dict[str, Any] = {name: denied(getattr(policy_set, name))}
        changed = replace(policy_set, **in_layer)
    assert evaluate(asked, changed).decision is EXPLICIT
    assert decide(asked, changed) == {EXPLICIT}


@law
@given(requests(), policy_sets())
def test_where_nothing_applies_the_denial_is_implicit(asked: AuthorizationRequest, policy_set: PolicySet) -> None:
    assume(asked.principal.type is not PrincipalType.ROOT)
    elsewhere = replace(asked, action="ec2:RunInstances", resource="arn:aws:ec2:::instance/i")
    about_s3 = map_lists(policy_set, _only_about_s3)
    without = tuple(replace(layer, other_grant=Grant()) for layer in about_s3.resource)
    evaluation = evaluate(elsewhere, replace(about_s3, resource=without))
    assert evaluation.decision is IMPLICIT
    assert {one.blocks for one in evaluation.objections} == {Blocks.IMPLICIT}


def _only_about_s3(layer: PolicyList) -> PolicyList:
    kept = []
    for one in layer.policies:
        raw = one.document["Statement"]
        written = [part for part in (raw if isinstance(raw, list) else [raw]) if "*" not in part.get("Action", ["*"])]
        if written:
            kept.append(Policy.parse({**one.document, "Statement": written}, name=one.name))
    return PolicyList(tuple(kept))


@law
@given(uncertain_requests(), policy_sets(), st.randoms(use_true_random=False))
def test_order_and_duplicates_do_not_matter(asked: AuthorizationRequest, policy_set: PolicySet, random: Any) -> None:
    def shuffled(layer: PolicyList) -> PolicyList:
        changed = []
        for one in layer.policies:
            raw = one.document["Statement"]
            written = list(raw if isinstance(raw, list) else [raw]) * random.choice((1, 2))
            random.shuffle(written)
            changed.append(Policy.parse({**one.document, "Statement": written}, name=one.name))
        changed += changed[: random.choice((0, 1))]
        random.shuffle(changed)
        return PolicyList(tuple(changed), layer.complete)

    before, after = evaluate(asked, policy_set), evaluate(asked, map_lists(policy_set, shuffled))
    assert after.possible == before.possible
    assert decide(asked, map_lists(policy_set, shuffled)) == before.possible
    assert after.objections == before.objections
    for name, layer in before.layers.items():
        same = after.layers[name]
        assert (same.deny, same.allow, same.grant) == (layer.deny, layer.allow, layer.grant)


@law
@given(uncertain_requests(), policy_sets(effects=DENYING))
def test_removing_the_cited_denies_lifts_the_explicit_deny(asked: AuthorizationRequest, policy_set: PolicySet) -> None:
    evaluation = evaluate(asked, policy_set)
    assume(EXPLICIT in evaluation.possible)
    cited = {
        (id(one), statement.index)
        for layer in evaluation.layers.values()
        for one, statement, truth in layer.statements
        if statement.effect == "Deny" and truth is not NO
    }
    assert cited

    def without(layer: PolicyList) -> PolicyList:
        kept = []
        for one in layer.policies:
            raw = one.document["Statement"]
            parts = raw if isinstance(raw, list) else [raw]
            written = [part for index, part in enumerate(parts) if (id(one), index) not in cited]
            if written:
                kept.append(Policy.parse({**one.document, "Statement": written}, name=one.name))
        return PolicyList(tuple(kept))

    assert EXPLICIT not in decide(asked, map_lists(policy_set, without))


@law
@given(uncertain_requests(), policy_sets())
def test_examination_agrees_with_matching(asked: AuthorizationRequest, policy_set: PolicySet) -> None:
    for layer in policy_set.resource:
        for one in layer.policies.policies:
            for statement in one.statements:
                evidence = examine(one, statement, asked)
                assert evidence.truth is matches(statement, asked)
                for element in evidence.elements:
                    if element.truth is NO:
                        assert element.reason is not None


@law
@given(requests(), policy_sets(), complete_keys, everything_unknown, st.data())
def test_replacing_unknown_keys_by_any_value_lands_inside_possible(
    asked: AuthorizationRequest,
    policy_set: PolicySet,
    keys: dict[str, tuple[str, ...] | None],
    unknown: frozenset[str],
    data: st.DataObject,
) -> None:
    before = evaluate(replace(asked, context=world_of(keys, unknown)), policy_set)
    other = data.draw(complete_keys)
    completed = {key: other[key] if key in unknown else values for key, values in keys.items()}
    after = decide(replace(asked, context=world_of(completed)), policy_set)
    assert after <= before.possible


@law
@given(requests(), policy_sets(), everything_unknown, st.data())
def test_replacing_unknown_layers_and_facts_lands_inside_possible(
    asked: AuthorizationRequest, policy_set: PolicySet, unknown: frozenset[str], data: st.DataObject
) -> None:
    """Several at once: layers, completeness, account, boundary, issuer, kind of caller, and keys."""
    known = {key: values for key, values in asked.context.present.items() if key not in unknown}
    principal = asked.principal
    vague: dict[str, Any] = {}
    for name in LAYERS:
        if data.draw(st.booleans()):
            vague[name] = _vaguer(data, getattr(policy_set, name))
    for name in LEVELS:
        if data.draw(st.booleans()):
            vague[name] = tuple(_vaguer(data, level) for level in getattr(policy_set, name) or (None,))
    if data.draw(st.booleans()):
        vague["same_account"] = UNSURE
    if data.draw(st.booleans()):
        vague["resource"] = tuple(
            replace(layer, policies=_vaguer(data, layer.policies), other_grant=Grant(UNSURE, UNSURE, UNSURE))
            for layer in policy_set.resource
        )
    who = principal
    if data.draw(st.booleans()):
        who = replace(who, bounded=UNSURE)
    if data.draw(st.integers(0, 2)) == 0:
        who = replace(who, issuer=None)
    if data.draw(st.integers(0, 3)) == 0:
        # Whoever has no session policy passed is not known to be no federated user, and so has to be unknown in it.
        who = Principal(PrincipalType.UNKNOWN, bounded=UNSURE)
        vague["session"] = _vaguer(data, policy_set.session)
    asked_vaguely = replace(asked, principal=who, context=RequestContext(known, unknown))
    before = evaluate(asked_vaguely, replace(policy_set, **vague))
    after = decide(asked, policy_set)
    assert after <= before.possible
    exact = evaluate(asked, policy_set)
    certain = {(one.layer, one.blocks, one.level) for one in before.objections if one.truth is YES}
    assert certain <= {(one.layer, one.blocks, one.level) for one in exact.objections}


def _vaguer(data: st.DataObject, layer: PolicyList | None) -> PolicyList:
    """A layer of which perhaps some policies are known."""
    known = tuple(one for one in (layer or NO_POLICIES).policies if data.draw(st.booleans()))
    return PolicyList(known, complete=False)


@st.composite
def read_once(draw: st.DrawFn) -> tuple[PolicySet, list[str]]:
    """Layers in which every key stands in one condition of one value at most."""
    keys = draw(st.permutations([*DOMAIN, *SETS]))
    used = keys[: draw(st.integers(1, 3))]

    def layer(of_resource: bool, mine: list[str]) -> PolicyList:
        written: dict[str, Any] = {
            "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
            "Action": "*",
            "Resource": "*",
        }
        if of_resource:
            written["Principal"] = draw(st.sampled_from(["*", {"AWS": PRINCIPALS[0].arn}, {"AWS": ROLE_ARN}]))
        block: dict[str, dict[str, Any]] = {}
        for key in mine:
            operator, value = draw(st.sampled_from(lines(key)))
            block.setdefault(operator, {})[key] = value
        values = [value for line in block.values() for value in line.values()]
        # A variable would read another key.
        assume(not any("${" in text for value in values for text in (value if isinstance(value, list) else [value])))
        written["Condition"] = block
        extra = [] if draw(st.booleans()) else [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        if of_resource:
            extra = []
        return PolicyList((Policy.parse({"Version": NEW, "Statement": [written, *extra]}, name="p"),))

    homes = [draw(st.integers(0, 3)) for _ in used]

    def mine(home: int) -> list[str]:
        return [key for key, where in zip(used, homes, strict=True) if where == home]

    policy_set = PolicySet(
        same_account=draw(st.sampled_from(list(Truth))),
        identity=layer(False, mine(0)),
        boundary=draw(st.sampled_from([None, FULL])) if not mine(1) else layer(False, mine(1)),
        scp=None if not mine(2) else (layer(False, mine(2)), FULL),
        resource=(ResourceLayer("bucket-policy", layer(True, mine(3)) if mine(3) else NO_POLICIES),),
    )
    return policy_set, used


@law
@given(read_once(), st.sampled_from([USER, SESSION]))
def test_possible_is_exact_where_no_unknown_occurs_twice(
    world: tuple[PolicySet, list[str]], principal: Principal
) -> None:
    policy_set, used = world
    asked = AuthorizationRequest(principal, "s3:GetObject", "arn:aws:s3:::b/k", RequestContext({}, frozenset(used)))
    reached: set[Decision] = set()
    for same_account in (YES, NO) if policy_set.same_account is UNSURE else (policy_set.same_account,):
        known = replace(policy_set, same_account=same_account)
        for values in product(*map(_completions, used)):
            keys = world_of(dict(zip(used, values, strict=True)))
            reached |= decide(replace(asked, context=keys), known)
    assert decide(asked, policy_set) == reached


def _completions(key: str) -> list[tuple[str, ...] | None]:
    """Absent, and every value that some operator tells apart from the others."""
    if key in SETS:
        return [None, (), ("a",), ("b",), ("c",), ("*",), ("a", "c")]
    values = {*DOMAIN[key], *OPERATORS[key][1], "~", "0", "5", "1e9", "1767225600"}
    return [None, *((value,) for value in sorted(values))]


@pytest.mark.parametrize("layer", ["identity", "boundary", "scp", "resource"])
def test_the_law_of_refinement_would_notice_a_wrong_certainty(layer: str) -> None:
    """The unknown is used: without it the decision is another."""
    maybe = policy(
        {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"Bool": {"k": "true"}}}
    )
    lists = PolicyList((*FULL.policies, maybe))
    changes: dict[str, dict[str, Any]] = {
        "identity": {"identity": lists},
        "boundary": {"boundary": lists},
        "scp": {"scp": (lists,)},
        "resource": {"resource": (ResourceLayer("bucket-policy", lists),)},
    }
    policy_set = replace(PolicySet(same_account=YES, identity=FULL), **changes[layer])
    asked = AuthorizationRequest(USER, "s3:GetObject", "arn:aws:s3:::b/k", context({}, "k"))
    assert decide(asked, policy_set) == {ALLOWED, EXPLICIT}
    assert decide(replace(asked, context=context({"k": "true"})), policy_set) == {EXPLICIT}
    assert decide(replace(asked, context=context()), policy_set) == {ALLOWED}


@law
@given(policy_lists())
def test_policies_parse_to_the_same_again(layer: PolicyList) -> None:
    for one in layer.policies:
        assert Policy.parse(dict(one.document), name=one.name) == one


@law
@given(uncertain_requests(), policy_sets(), policy_sets(), st.data())
def test_what_is_remembered_changes_nothing(
    asked: AuthorizationRequest, policy_set: PolicySet, other: PolicySet, data: st.DataObject
) -> None:
    names = data.draw(
        st.sets(st.sampled_from(["identity", "boundary", "session", "vpc_endpoint", "resource", *LEVELS]))
    )
    changed = replace(policy_set, **{name: getattr(other, name) for name in names})
    before = evaluate(asked, policy_set)
    assert evaluate(asked, changed, before) == evaluate(asked, changed)
    copied = map_lists(changed, lambda layer: PolicyList(layer.policies, layer.complete))
    assert evaluate(asked, copied, before) == evaluate(asked, changed)
