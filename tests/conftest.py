"""What holds for all tests; the rules themselves are in ``support/guards.py``."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from blockbuster import blockbuster_ctx

from support import guards

pytest_plugins = ["pytester"]

IN_CI = bool(os.environ.get("CI"))

hypothesis.settings.register_profile("default", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, print_blob=True, database=None)
hypothesis.settings.load_profile("ci" if IN_CI else "default")

guards.forbid_network(guards.hosts_of_servers_to_test(os.environ))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test starts without keys, proxies, settings and state of whoever runs it."""
    for name in guards.foreign_names(os.environ):
        monkeypatch.delenv(name)
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path_factory.getbasetemp() / name))


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    """A test fails that leaves a child process behind; the process is ended."""
    before = guards.children()
    yield
    if left := guards.end_leftovers(before):
        pytest.fail("left behind: " + "; ".join(left))


@pytest.fixture
def no_blocking() -> Iterator[None]:
    """For tests that ask for it: a call of ours that blocks the event loop raises."""
    with blockbuster_ctx("citefidelity"):
        yield


@pytest.fixture
def shared_data() -> Path:
    """The published data that lies beside a checkout on some machines; skips the test elsewhere."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs ../shared, which is not on this machine")
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a skipped test counts as failed unless the machine may lack what it needs."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        _fail_if_not_allowed(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole file that is skipped."""
    report = yield
    if IN_CI and report.skipped:
        _fail_if_not_allowed(report)
    return report


def _fail_if_not_allowed(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = guards.reason_of(report.longrepr)
    if guards.must_not_be_skipped(reason):
        report.outcome = "failed"
        report.longrepr = f"must not be skipped in CI: {reason}"
