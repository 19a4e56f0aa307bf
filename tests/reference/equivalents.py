"""Mutants that no test can tell from the original, with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping

DETOUR = "the general way comes to the same result as the short one that is skipped"
FALSE = "None is as false as False"
NO_NETWORK = "text with two slashes is no network either way"
SAME_NAMING = "the constant equals what is made in its place"
ONE_COLON = "an action has one colon"
TIES = "of two equal truths it does not matter which is kept"

EQUIVALENT: Mapping[tuple[str, str], str] = {
    ("denyproxy.iam.evaluation.x__denied", "- if one[0] > deny:\n+ if one[0] >= deny:"): TIES,
    ("denyproxy.iam.evaluation.x__allowed", "- if level.allow < allow:\n+ if level.allow <= allow:"): TIES,
    (
        "denyproxy.iam.literals.x_read_network",
        '- _, slash, length = text.partition("/")\n+ _, slash, length = text.rpartition("/")',
    ): NO_NETWORK,
    (
        "denyproxy.iam.literals.x_read_network",
        "- network = ipaddress.ip_network(text, strict=False)\n+ network = ipaddress.ip_network(text, strict=None)",
    ): FALSE,
    (
        "denyproxy.iam.statement.xǁStatementǁmatches_relevant",
        "- if truth is NO or self.principal is None:\n+ if truth is NO and self.principal is None:",
    ): DETOUR,
    (
        "denyproxy.iam.statement.xǁStatementǁis_of_service",
        '- services = (action.partition(":")[0].lower(), "*")\n+ services = (action.rpartition(":")[0].lower(), "*")',
    ): ONE_COLON,
    (
        "denyproxy.iam.statement.x__excluded",
        "- return EVERYBODY if truth is YES else NOBODY if truth is NO else Naming(direct=truth)\n"
        "+ return EVERYBODY if (truth is YES) and False else NOBODY if truth is NO else Naming(direct=truth)",
    ): SAME_NAMING,
    (
        "denyproxy.iam.statement.x__excluded",
        "- return EVERYBODY if truth is YES else NOBODY if truth is NO else Naming(direct=truth)\n"
        "+ return EVERYBODY if truth is YES else NOBODY if (truth is NO) and False else Naming(direct=truth)",
    ): SAME_NAMING,
    (
        "denyproxy.iam.statement.x__variable_test",
        "- if not dynamic or matches is everything:\n+ if not dynamic and matches is everything:",
    ): DETOUR,
    ("denyproxy.iam.assessment.x_judge", "- if truth > deny:\n+ if truth >= deny:"): TIES,
    ("denyproxy.iam.assessment.x_judge", "- if truth > allow:\n+ if truth >= allow:"): TIES,
    ("denyproxy.iam.assessment.x_judge_resource", "- if truth > deny:\n+ if truth >= deny:"): TIES,
    ("denyproxy.iam.assessment.x_hear", "- if truth > deny:\n+ if truth >= deny:"): TIES,
    ("denyproxy.iam.assessment.x_hear", "- elif truth > allow:\n+ elif truth >= allow:"): TIES,
    (
        "denyproxy.iam.condition.x__rough_test",
        "- margin = context.margin.get(key) if context.margin else None\n"
        "+ margin = context.margin.get(key) if (context.margin) or True else None",
    ): DETOUR,
    (
        "denyproxy.iam.condition.x__comparison",
        "- if operator.any_around is not None or any(fixed(template) is None for template in templates):\n"
        "+ if operator.any_around is None or any(fixed(template) is None for template in templates):",
    ): DETOUR,
    ("denyproxy.iam.condition.x__comparison", "- values = context.present.get(key)\n+ values = None"): DETOUR,
    (
        "denyproxy.iam.condition.x__comparison",
        "- values = context.present.get(key)\n+ values = context.present.get(None)",
    ): DETOUR,
}
"""(Function, lines taken away and put in) -> why nothing changes."""

_STRICT = re.compile(r", (strict=\w+)?(?=\))")


def reason(function: str, change: str) -> str | None:
    """Why a mutant is equivalent; None: it is not known to be."""
    before, _, after = change.partition("\n")
    if "zip(" in change and _STRICT.sub("", before[1:]) == _STRICT.sub("", after[1:]):
        return "both sides are made from the same sequence, so they are equally long"
    return EQUIVALENT.get((function, change))
