"""Fixtures of all tests, and the floor on how many must pass."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests compare numbers to many digits, on processors with and without bfloat16. Commands that tests start inherit this;
# tests of bfloat16 set it themselves.
os.environ["TEXPRIOR_BFLOAT16"] = "no"


@pytest.fixture(scope="session", autouse=True)
def runs_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keeps what tests store out of the developer's folder of runs, and out of the current folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runs")
        patch.setenv("TEXPRIOR_RUNS", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data, weights and oracles beside the repository; the test is skipped where it is not."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared is not here")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top level of the repository."""
    return Path(__file__).resolve().parents[1]


def _too_few(config: pytest.Config) -> str:
    """A sentence where fewer tests passed than TEXPRIOR_TEST_FLOOR says; .ci/run sets it."""
    floor = int(os.environ.get("TEXPRIOR_TEST_FLOOR") or 0)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    passed = len(reporter.stats.get("passed", [])) if reporter else 0
    return f"{passed} tests passed, but TEXPRIOR_TEST_FLOOR is {floor}: some were lost" if passed < floor else ""


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and _too_few(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    sentence = _too_few(terminalreporter.config)
    if sentence:
        terminalreporter.write_line(sentence, red=True)
