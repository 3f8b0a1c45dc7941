"""The rules that all tests are held to do hold: each is broken here once, in a pytest of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from support import guards

CONFTEST = Path(__file__).parents[1] / "conftest.py"

BREAKS_EVERY_RULE = """
import os, socket, subprocess, sys
import pytest

def test_skips(): pytest.skip("no time")
def test_skips_rightly(): pytest.skip("needs ../shared, which is not on this machine")
def test_leaves_a_child(): subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
def test_connects(): socket.create_connection(("192.0.2.1", 80), timeout=1)
def test_sees_a_key(): assert "OPENAI_API_KEY" in os.environ
def test_sees_a_proxy(): assert "https_proxy" in os.environ
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest with this project's conftest and a file that breaks the rules."""
    pytester.makeconftest(CONFTEST.read_text())
    pytester.makepyfile(BREAKS_EVERY_RULE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(CONFTEST.parent), *filter(None, sys.path)]))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    return pytester


@pytest.mark.parametrize(("ci", "failed", "skipped"), [("1", 4, 1), ("", 3, 2)])
def test_every_broken_rule_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, failed: int, skipped: int
) -> None:
    """Network, keys and proxies are out of reach, a child left behind is an error; in CI a skipped test fails."""
    monkeypatch.setenv("CI", ci)
    result = inner.runpytest_subprocess("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
    result.assert_outcomes(passed=1, failed=failed, skipped=skipped, errors=1)
    result.stdout.fnmatch_lines_random(
        ["*NetworkUsed: a test reaches for ('192.0.2.1', 80)*", "*left behind: * input()*"]
    )


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        (("127.0.0.1", 80), True),
        (("127.8.9.1", 80), True),
        (("::1", 80, 0, 0), True),
        (("localhost", 80), True),
        ("/tmp/socket", True),  # noqa: S108 - a name, not a file
        (("10.0.0.1", 80), False),
        (("169.254.169.254", 80), False),
        (("fe80::1%eth0", 80, 0, 0), False),
        (("example.org", 80), False),
    ],
)
def test_only_loopback_is_this_machine(address: object, ours: object) -> None:
    """Addresses of the loopback range and paths are this machine's own, all others are not."""
    assert guards.is_this_machine(address) is ours


def test_a_server_to_test_may_be_elsewhere() -> None:
    """Who points the tests at a Neo4j of their own may reach its host."""
    assert guards.hosts_of_servers_to_test({"NEO4J_URI": "neo4j+s://graph.example:7687"}) == ["graph.example"]
    assert guards.hosts_of_servers_to_test({}) == []
