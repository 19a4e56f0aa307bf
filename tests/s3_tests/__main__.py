"""Runs any S3 tests twice, direct and through denyproxy, and prints what ended otherwise: `make s3-tests`.

Exits with 1 if anything did, with 2 if there is nothing to compare. Tests of a checkout that ended otherwise are run
once more, since some depend on time; those that end alike then are printed, and do not count. Variables of the
environment:

    S3TESTS         checkout of ceph/s3-tests; its test_s3.py and test_headers.py are run
    S3TEST_ARGS     arguments of its pytest instead, such as `s3tests/functional/test_s3.py -k multipart`
    S3TEST_PYTHON   Python with its requirements; otherwise that of an environment in the checkout, or a new one
    S3TEST_COMMAND  any other command; {endpoint}, {host}, {port}, {conf} (a configuration as ceph/s3-tests has it) and
                    {junit} (where a JUnit report is expected; pytest writes it by itself) are replaced in it.
                    It finds S3TEST_CONF, AWS_ENDPOINT_URL and, for a server of our own, AWS_ACCESS_KEY_ID in its
                    environment. Without a report its exit status is the result
    S3TEST_CONF     configuration of ceph/s3-tests with the keys of your server, and with its address
    S3TEST_UPSTREAM URL of your server; otherwise the one that S3TEST_CONF names, or else one is started
    S3TEST_SERVER   ministack (default) or seaweedfs: which one
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from denyproxy.demo import backend, front
from tests.backends import OTHER_ACCOUNT, Server, running_ministack, running_seaweedfs
from tests.s3_tests.results import Results, any_passed, counts, differences, of_run
from tests.s3_tests.suites import CONF, USERS, Keys, Suite, Unusable, chosen, endpoint_of

UPSTREAM, SERVER = "S3TEST_UPSTREAM", "S3TEST_SERVER"
SERVERS: Mapping[str, Callable[[Path], contextlib.AbstractContextManager[Server]]] = {
    "ministack": running_ministack,
    "seaweedfs": running_seaweedfs,
}
# SeaweedFS knows no `*`, and MiniStack's users are to have IAM too.
ACTIONS = {"ministack": "*", "seaweedfs": "s3:*"}


@contextlib.contextmanager
def upstream(directory: Path, suite: Suite) -> Iterator[tuple[str, Mapping[str, Keys]]]:
    """The server to test: its endpoint and the keys of its users, which are none where it is not ours."""
    given = os.environ.get(UPSTREAM)
    if given or (suite.conf and CONF in os.environ):
        yield given or endpoint_of(suite.conf or ""), {}
        return
    name = os.environ.get(SERVER, "ministack")
    if name not in SERVERS:
        raise Unusable(f"{SERVER} is {name}, which is none of {', '.join(SERVERS)}")
    with SERVERS[name](directory) as server:
        yield server.endpoint, dict(_users(server, name))


def _users(server: Server, kind: str) -> Iterator[tuple[str, Keys]]:
    statement = {"Effect": "Allow", "Action": ACTIONS[kind], "Resource": "*"}
    for name in USERS:
        foreign = kind == "ministack" and name in ("s3 alt", "iam alt root")
        owner = replace(server, admin=server.root_of(OTHER_ACCOUNT)) if foreign else server
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        made = owner.make_user(name.replace(" ", "-"), policy)
        yield name, Keys(made.access_key_id, made.secret_access_key)


def run(suite: Suite, directory: Path, *, through: bool) -> Results:
    """One run, with a server of its own where it is ours."""
    how = "through denyproxy" if through else "direct"
    place = Path(tempfile.mkdtemp(dir=directory))
    with contextlib.ExitStack() as stack:
        endpoint, keys = stack.enter_context(upstream(place, suite))
        if through:
            endpoint = stack.enter_context(front.running(place, endpoint, None)).endpoint
        print(f"== {how}: {endpoint}", flush=True)
        results = of_run(*suite.run(endpoint, keys, place))
    print(f"== {how}: {counts(results)}", flush=True)
    return results


def main() -> int:
    """The exit status."""
    try:
        suite = chosen()
        with tempfile.TemporaryDirectory(prefix="s3-tests-") as name:
            direct = run(suite, Path(name), through=False)
            if not any_passed(direct):
                raise Unusable("nothing passed without denyproxy, so that nothing is to be compared")
            found = differences(direct, run(suite, Path(name), through=True))
            if found and (again := suite.only(found)) is not None:
                once_more = [run(again, Path(name), through=it) for it in (False, True)]
                lasting = differences(*once_more)
                for test in found.keys() - lasting.keys():
                    print(f"not the second time: {found[test]}")
                found = {test: line for test, line in found.items() if test in lasting}
    except (Unusable, backend.BackendMissing) as problem:
        print(f"s3-tests: {problem}", file=sys.stderr)
        return 2
    print("\n".join(found.values()) or "no differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
