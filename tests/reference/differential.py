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

from denyproxy.iam import evaluation as product
from denyproxy.iam.evaluation import Blocks, Decision, Evaluation
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


def _objections(evaluation: Evaluation, least: Truth) -> set[tuple[str, Blocks]]:
    return {(objection.layer, objection.blocks) for objection in evaluation.objections if objection.truth >= least}


def _evaluated(case: Case) -> tuple[Evaluation, bool]:
    """The product's evaluation; and whether deciding without evidence comes to something else."""
    question = compiled(case)
    evaluation = product.evaluate(*question)
    return evaluation, product.decide(*question) != evaluation.possible


def known_fails(case: Case) -> bool:
    """Do both disagree on the fully known case, or the product with its own objections?"""
    evaluation, fails = _evaluated({**case, "hidden": {}})
    decision = decide(*plain(case))
    return fails or evaluation.possible != {decision} or _explained(evaluation) is not decision


def hidden_fails(case: Case) -> bool:
    """Has the product, told less, excluded what is so: the decision, or who stands in the way?"""
    evaluation, fails = _evaluated(case)
    known, _ = _evaluated({**case, "hidden": {}})
    certain, all_in_the_way = _objections(evaluation, Truth.YES), _objections(known, Truth.YES)
    right = certain <= all_in_the_way <= _objections(evaluation, Truth.UNKNOWN)
    return fails or not right or decide(*plain(case)) not in evaluation.possible


def layers_fail(case: Case) -> bool:
    """With layers hidden: are other decisions possible than over the contents of those?"""
    evaluation, fails = _evaluated(case)
    return fails or evaluation.possible != possible(map(plain, completions(case)))


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


def questions(seed: int) -> dict[str, Case]:
    """What is asked about one seed, by the name of the check."""
    rng = Random(seed)
    case = generate(rng)
    return {"known": case, "hidden": hide(rng, case), "layers": hide_layers(rng, case)}


def disagreements(seed: int) -> list[tuple[str, Case]]:
    """The checks that fail for one seed."""
    return [(name, case) for name, case in questions(seed).items() if CHECKS[name](case)]


def counted(seed: int) -> Counts:
    """The product's decision and the deciding layer for one seed, and which of the other questions it is sure of."""
    sure = {name: product.evaluate(*compiled(case)) for name, case in questions(seed).items()}
    counts: Counts = Counter(f"{name}: certain" for name, evaluation in sure.items() if evaluation.decision)
    counts[str(sure["known"].decision)] += 1
    if sure["known"].decision is not Decision.ALLOWED:
        counts[sure["known"].objections[0].layer] += 1
    return counts


def compare(seed: int) -> tuple[Counts, list[tuple[str, Case]]]:
    """Both."""
    return counted(seed), disagreements(seed)


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
    found: list[tuple[str, Case]] = []
    seeds = range(arguments.seed, arguments.seed + arguments.cases)
    with multiprocessing.Pool(arguments.processes) as pool:
        for counts_of_one, found_in_one in pool.imap_unordered(compare, seeds, chunksize=200):
            counts += counts_of_one
            found += found_in_one
    for name, share in shares(counts, arguments.cases).items():
        print(f"{name:24}{share:8.1%}")
    for name in ("hidden: certain", "layers: certain"):
        print(f"{name:24}{counts[name] / arguments.cases:8.1%}")
    print(f"{len(found)} disagreements in {arguments.cases} cases")
    for name, case in found[: arguments.show]:
        smallest = minimised(case, CHECKS[name])
        said = product.evaluate(*compiled(smallest)).possible
        print(
            f"\n{name}: reference {decide(*plain(smallest))}, product {sorted(said)}\n{json.dumps(smallest, indent=1)}"
        )
    return int(bool(found) or min(shares(counts, arguments.cases).values()) <= LEAST_SHARE)


if __name__ == "__main__":
    sys.exit(main())
