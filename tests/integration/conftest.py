"""What several of these tests start."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL server of this test, by Debian's programs; root starts it as the user postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs, data = Path(initdb).parent, Path("/tmp") / f"texprior-postgres-{os.getpid()}"
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    options = f"-c listen_addresses='' -c fsync=off -k {data}"
    try:
        subprocess.run([*user, initdb, "-D", data, "-U", "tester", "-A", "trust"], check=True, capture_output=True)
        subprocess.run(
            [*user, programs / "pg_ctl", "-D", data, "-w", "-l", data / "log", "-o", options, "start"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield f"postgresql+psycopg://tester@/postgres?host={data}"
    finally:
        subprocess.run([*user, programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], capture_output=True)
        shutil.rmtree(data, ignore_errors=True)
