"""Fixes: an independent evaluator allows the call with the patch applied, and decides everything else as before."""

from __future__ import annotations

import pytest

from denyproxy.explain.model import Fix
from tests.explain.remedied import (
    FORTY,
    SCENARIOS,
    Document,
    allowed,
    decided,
    explained,
    fixes_of,
    neighbours,
    patched,
)

NO_PATCH = {
    "tls-01": "use TLS",
    "mfa-01": "sign in with MFA",
    "miss-03": "the key of a public bucket is missing",
}
"""Cases that a policy causes, and whose honest remedy is nothing that the owners of a scenario's members control."""
POLICY_CAUSED = [name for name in FORTY if SCENARIOS[name]["expect"]["effect"] != "not-policy"]
FORTY_FIXABLE = [name for name in POLICY_CAUSED if name not in NO_PATCH]


def verified(document: Document) -> list[Fix]:
    return [fix for fix in fixes_of(document) if fix.verified and fix.patch]


@pytest.mark.parametrize("name", FORTY_FIXABLE)
def test_a_fix_makes_an_independent_evaluator_allow(name: str) -> None:
    document = SCENARIOS[name]
    missing_key = explained(document).explanation.missing_key_possible
    assert not allowed(document, missing_key=missing_key)
    assert any(allowed(patched(document, fix), missing_key=missing_key) for fix in verified(document))


@pytest.mark.parametrize("name", SCENARIOS)
def test_verified_means_that_the_patched_scenario_is_allowed(name: str) -> None:
    document = SCENARIOS[name]
    for fix in verified(document):
        assert allowed(patched(document, fix)), fix.summary


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_fix_that_is_not_verified_does_not_allow(name: str) -> None:
    document = SCENARIOS[name]
    for fix in fixes_of(document):
        if fix.patch and not fix.verified:
            assert not allowed(patched(document, fix)), fix.summary
            assert fix.still_blocking


def _denied_question(document: Document) -> tuple[str, str] | None:
    cause = explained(document).explanation.cause
    if cause is None or cause.action is None or cause.resource is None or cause.layer == "acl":
        return None
    return cause.action, cause.resource


@pytest.mark.parametrize("name", SCENARIOS)
def test_neighbours_are_decided_as_before(name: str) -> None:
    document = SCENARIOS[name]
    question = _denied_question(document)
    for fix in verified(document):
        if question is None or fix.owner == "caller" or not fix.least_privilege:
            continue
        for text, before, after in neighbours(document, patched(document, fix), *question, name):
            assert decided(after) is decided(before), f"{fix.summary} {text}"


ALLOWED_PATHS = {"caller": ("/request/headers", "/request/query", "/request/raw", "/request/principal")}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_patch_touches_only_what_its_owner_controls(name: str) -> None:
    for fix in fixes_of(SCENARIOS[name]):
        if "; and " in fix.summary:
            continue  # several parts, of several owners
        allowed_paths = ALLOWED_PATHS.get(fix.owner, ("/policies/",))
        assert all(operation["path"].startswith(allowed_paths) for operation in fix.patch), fix
