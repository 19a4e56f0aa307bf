"""DENYPROXY_REQUIRE_ALL=1: what is skipped has failed, and says why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends import ROOT

TEST = "import pytest\ndef test_one(): pytest.skip('no such server')\ndef test_two(): pass\n"
FILE = "import pytest\npytest.skip('no such module', allow_module_level=True)\n"
EXPECTED = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_one(): assert False\n"


def run(path: Path, required: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", str(path)]
    env = {**os.environ, "DENYPROXY_REQUIRE_ALL": required}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("text", "reason"), [(TEST, "no such server"), (FILE, "no such module")])
def test_a_skip_fails_where_all_is_required(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(text)
    required = run(tmp_path, "1")
    assert required.returncode in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    assert reason in required.stdout
    assert run(tmp_path, "").returncode in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(EXPECTED)
    assert run(tmp_path, "1").returncode == pytest.ExitCode.OK
