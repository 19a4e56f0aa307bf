"""The target itself, with small suites instead of ceph/s3-tests and a server that answers all requests alike."""

from __future__ import annotations

import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_tests.__main__ import main
from tests.s3_tests.results import differences, of_run
from tests.s3_tests.suites import Keys, configuration, endpoint_of, node_id

SUITE = """
import configparser, os, urllib.error, urllib.request

conf = configparser.RawConfigParser()
conf.read(os.environ["S3TEST_CONF"])
endpoint = f"http://{conf['DEFAULT']['host']}:{conf['DEFAULT']['port']}"


def ask(path):
    try:
        return urllib.request.urlopen(endpoint + path)
    except urllib.error.HTTPError as error:
        return error


def test_of_a_fixed_endpoint():
    assert endpoint == os.environ["AWS_ENDPOINT_URL"]


def test_that_is_relayed():
    assert ask("/b/k").status == 200


def test_that_fails_everywhere():
    assert ask("/b/k").status == 404


def test_that_no_explanation_is_given():
    assert "X-Deny-Explanation" not in ask("/b/denied").headers


def test_that_depends_on_time():
    with open("runs", "a+") as file:
        file.write(".")
        file.seek(0)
        assert len(file.read()) != 2
"""


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        denied = self.path.endswith("denied")
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>" if denied else b"x"
        self.send_response(403 if denied else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name in ("S3TESTS", "S3TEST_CONF", "S3TEST_ARGS", "PYTEST_ADDOPTS"):
            monkeypatch.delenv(name, raising=False)
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("S3TEST_UPSTREAM", url)
        yield url
        server.shutdown()
        thread.join()


def test_a_suite_that_differs(
    upstream: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a checkout like that of ceph/s3-tests, with the environment that it brings."""
    functional = tmp_path / "s3tests" / "functional"
    functional.mkdir(parents=True)
    (functional / "test_s3.py").write_text(SUITE)
    monkeypatch.setenv("S3TESTS", str(tmp_path))
    monkeypatch.setenv("S3TEST_PYTHON", sys.executable)
    monkeypatch.setenv("S3TEST_ARGS", "s3tests/functional/test_s3.py")
    assert main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if " direct, " in line] == [
        "not the second time: s3tests.functional.test_s3.test_that_depends_on_time: "
        "passed direct, failure through denyproxy",
        "s3tests.functional.test_s3.test_that_no_explanation_is_given: passed direct, failure through denyproxy",
    ]


def test_a_suite_that_does_not_differ(
    upstream: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any command; its exit status is its result."""
    program = tmp_path / "ask.py"
    program.write_text("import sys, urllib.request\nurllib.request.urlopen(sys.argv[1])")
    monkeypatch.setenv("S3TEST_COMMAND", f"{sys.executable} {program} {{endpoint}}/b/k")
    assert main() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no differences"


def test_a_command_that_ends_otherwise(upstream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3TEST_COMMAND", f"test {{endpoint}} = {upstream}")
    assert main() == 1


@pytest.mark.parametrize("command", ["false", "no-such-command", "{python} -m pytest no_such_file.py"])
def test_a_suite_that_passes_nothing_proves_nothing(
    command: str, upstream: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("S3TEST_COMMAND", command.replace("{python}", sys.executable))
    assert main() == 2
    assert "nothing passed" in capsys.readouterr().err


def test_nothing_to_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("S3TESTS", "S3TEST_COMMAND"):
        monkeypatch.delenv(name, raising=False)
    assert main() == 2
    assert "set S3TESTS to a checkout" in capsys.readouterr().err


def test_a_given_configuration_keeps_all_but_the_address() -> None:
    given = "[DEFAULT]\nhost = s3.example.com\nport = 443\nis_secure = True\n\n"
    given += "[s3 main]\naccess_key = A%B\nsecret_key = b\n"
    assert endpoint_of(given) == "https://s3.example.com:443"
    text = configuration("http://127.0.0.1:9090", given, {})
    assert endpoint_of(text) == "http://127.0.0.1:9090"
    assert "access_key = A%B" in text
    assert text.count("secret_key = b") == 1


def test_our_own_configuration_has_all_users() -> None:
    text = configuration("http://127.0.0.1:9090", None, {"s3 main": Keys("AK", "SK")})
    assert text.startswith("[DEFAULT]\nhost = 127.0.0.1\nport = 9090\nis_secure = False\n")
    assert "[s3 main]" in text
    assert "access_key = AK\nsecret_key = SK" in text
    assert "bucket prefix = denyproxy-{random}-" in text


def test_a_test_that_was_not_run_is_a_difference(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="a" name="t"/><testcase classname="a" name="t"><error/></testcase>'
        '<testcase classname="a" name="u"><skipped/></testcase></testsuite></testsuites>'
    )
    results = of_run(report, 0)
    assert results == {"a.t": "error", "a.u": "skipped"}
    assert differences(results, {"a.u": "skipped"}) == {"a.t": "a.t: error direct, not run through denyproxy"}


def test_names_of_tests_in_classes_and_with_parameters(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "test_b.py").write_text("")
    assert node_id(tmp_path, "a.test_b.TestC.test_d[1.5-x]") == "a/test_b.py::TestC::test_d[1.5-x]"
    assert node_id(tmp_path, "other.test_b.test_d") is None
