"""Product against reference on generated cases: `python -m tests.reference.differential --cases 200000`.

Three questions per case: the fully known one must have the reference's decision; with some facts hidden, that decision
must remain possible; with layers hidden, exactly the decisions that the reference finds over their contents are.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from denyproxy.iam.evaluation import Blocks, Decision, Evaluation, evaluate
from denyproxy.iam.truth import Truth
from tests.reference.case import Case, compiled, minimised, plain
from tests.reference.evaluator import decide, possible
from tests.reference.generate import generate, hide

LEAST_SHARE = 0.02
LAYERS: tuple[str, ...] = (
    "scp",
    "rcp",
    "vpc-endpoint-policy",
    "bucket-policy",
    "access-point-policy",
    "kms-key-policy",
)
LAYERS += ("identity", "permissions-boundary", "session-policy")
Counts = Counter[str]


def _explained(evaluation: Evaluation) -> Decision:
    """The decision that the objections of a fully known case amount to."""
    blocks = {objection.blocks for objection in evaluation.objections if objection.truth is Truth.YES}
    if Blocks.EXPLICIT in blocks:
        return Decision.EXPLICIT_DENY
    return Decision.IMPLICIT_DENY if blocks else Decision.ALLOWED


def known_fails(case: Case) -> bool:
    """Do both disagree on the fully known case, or the product with its own objections?"""
    evaluation = evaluate(*compiled({**case, "hidden": {}}))
    decision = decide(*plain(case))
    return evaluation.possible != {decision} or _explained(evaluation) is not decision


def hidden_fails(case: Case) -> bool:
    """Has the product, told less, excluded the right decision?"""
    return decide(*plain(case)) not in evaluate(*compiled(case)).possible


def layers_fail(case: Case) -> bool:
    """With layers hidden: are other decisions possible than over the contents of those?"""
    return evaluate(*compiled(case)).possible != possible(map(plain, completions(case)))


def _statement(effect: str, **principal: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "*", "Resource": "*"} | principal]}


def completions(case: Case) -> Iterator[Case]:
    """The case with each kind of content that its hidden layers may have beside what is seen of them."""
    hidden = dict(case["hidden"]["layers"])
    if not hidden:
        yield case
        return
    place, seen = hidden.popitem()
    name, _, index = place.partition(":")
    rest = case | {"hidden": {"layers": hidden}}
    for extra in _contents(name, case["principal"]):
        if name == "layers":
            layers = [dict(layer) for layer in case["layers"]]
            layers[int(index)]["policies"] = layers[int(index)]["policies"][:seen] + extra
            yield from completions(rest | {"layers": layers})
        elif index:
            levels = list(case[name])
            levels[int(index)] = levels[int(index)][:seen] + extra
            yield from completions(rest | {name: levels})
        else:
            yield from completions(rest | {name: (case[name] or [])[:seen] + extra})
    if name in ("session", "vpc_endpoint") and seen == 0:
        yield from completions(rest | {name: None})


def _contents(layer: str, caller: dict[str, Any]) -> list[list[Any]]:
    """Nothing; an Allow of everything, in each way that it may name the caller; a Deny of everything."""
    elements: list[dict[str, Any]] = [{}]
    if layer == "layers":
        key = "Service" if caller["type"] == "service" else "AWS"
        names = [caller[fact] for fact in ("account", "issuer", "arn") if caller[fact] is not None]
        elements = [{"Principal": {key: name}} for name in names] + [{"Principal": "*"}]
    elif layer in ("vpc_endpoint", "rcp"):
        elements = [{"Principal": "*"}]
    return [[]] + [[_statement(effect, **element)] for effect in ("Allow", "Deny") for element in elements]


def hide_layers(rng: Random, case: Case) -> Case:
    """The same case with one or two of its layers hidden, wholly or but for the policies that are seen."""
    sizes = {"identity": len(case["identity"])}
    sizes |= {name: len(case[name]) for name in ("boundary", "session", "vpc_endpoint") if case[name] is not None}
    sizes |= {f"{name}:{index}": len(level) for name in ("scp", "rcp") for index, level in enumerate(case[name] or ())}
    sizes |= {f"layers:{index}": len(layer["policies"]) for index, layer in enumerate(case["layers"])}
    if case["principal"]["type"] in ("root", "anonymous", "service"):
        del sizes["identity"]  # they have none
    places = rng.sample(sorted(sizes), min(len(sizes), rng.choice((1, 2)))) or ["vpc_endpoint"]
    return case | {"hidden": {"layers": {place: rng.choice((0, sizes.get(place, 0))) for place in places}}}


CHECKS = {"known": known_fails, "hidden": hidden_fails, "layers": layers_fail}


def compare(seed: int) -> tuple[Counts, list[tuple[str, Case]]]:
    """Counts of decisions and deciding layers for one seed, and the cases of disagreement."""
    rng = Random(seed)
    case = generate(rng)
    questions = {"known": case, "hidden": hide(rng, case), "layers": hide_layers(rng, case)}
    evaluation = evaluate(*compiled(case))
    counts: Counts = Counter({str(evaluation.decision): 1})
    if evaluation.objections and evaluation.decision is not Decision.ALLOWED:
        counts[evaluation.objections[0].layer] += 1
    for name in ("hidden", "layers"):
        counts[f"{name}: certain"] += evaluate(*compiled(questions[name])).decision is not None
    return counts, [(name, question) for name, question in questions.items() if CHECKS[name](question)]


def shares(counts: Counts, cases: int) -> dict[str, float]:
    """Decisions and deciding layers, as shares of all cases."""
    return {name: counts[name] / cases for name in (*map(str, Decision), *LAYERS)}


def main() -> int:
    """Compare, print shares and minimised disagreements; 1 if there is any, or a share is too small."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--show", type=int, default=5, help="disagreements to minimise and print")
    arguments = parser.parse_args()
    counts: Counts = Counter()
    disagreements: list[tuple[str, Case]] = []
    seeds = range(arguments.seed, arguments.seed + arguments.cases)
    with multiprocessing.Pool(arguments.processes) as pool:
        for counted, found in pool.imap_unordered(compare, seeds, chunksize=200):
            counts += counted
            disagreements += found
    for name, share in shares(counts, arguments.cases).items():
        print(f"{name:24}{share:8.1%}")
    for name in ("hidden: certain", "layers: certain"):
        print(f"{name:24}{counts[name] / arguments.cases:8.1%}")
    print(f"{len(disagreements)} disagreements in {arguments.cases} cases")
    for name, case in disagreements[: arguments.show]:
        smallest = minimised(case, CHECKS[name])
        said = evaluate(*compiled(smallest)).possible
        print(
            f"\n{name}: reference {decide(*plain(smallest))}, product {sorted(said)}\n{json.dumps(smallest, indent=1)}"
        )
    return int(bool(disagreements) or min(shares(counts, arguments.cases).values()) <= LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
