"""How much memory there is: the machine's, or less if a control group says so."""

import os

import pytest

from texprior.runtime.memory import process_memory

HERE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
GB = 2**30


@pytest.fixture
def machine(tmp_path):
    """Builds the files of a machine: the groups of this process, and their limits."""

    def made(groups, limits):
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups, encoding="utf-8")
        for name, limit in limits.items():
            file = tmp_path / "sys/fs/cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{limit}\n", encoding="utf-8")
        return process_memory(tmp_path)

    return made


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        ("0::/job/step\n", {"memory.max": "max"}, HERE),
        ("0::/job/step\n", {"job/step/memory.max": GB}, GB),
        ("0::/job/step\n", {"job/memory.max": GB, "job/step/memory.max": "max"}, GB),
        ("0::/job/step\n", {"job/memory.max": 3 * GB, "job/step/memory.max": 2 * GB}, min(2 * GB, HERE)),
        ("0::/../outside\n", {"memory.max": GB}, GB),
        ("5:cpu,memory:/job\n1:name=systemd:/\n", {"memory/job/memory.limit_in_bytes": GB}, GB),
        ("5:memory:/job\n", {"memory/memory.limit_in_bytes": 2**63 - 4096}, HERE),
        ("5:cpu:/job\n", {"memory/job/memory.limit_in_bytes": GB}, HERE),
        ("", {}, HERE),
    ],
)
def test_the_smallest_limit_counts(machine, groups, limits, expected):
    assert machine(groups, limits) == expected


def test_a_machine_without_these_files(tmp_path):
    assert process_memory(tmp_path) == HERE
