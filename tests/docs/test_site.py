"""The documentation as a site: broken links are errors."""

import subprocess
import sys


def test_the_site_is_built_without_a_warning(repository, tmp_path):
    command = [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"index.html", "hooks.html", "write-a-plugin.html"} <= {p.name for p in (tmp_path / "site").iterdir()}


def test_every_decision_is_listed(repository):
    folder = repository / "docs" / "adr"
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert [p.name for p in sorted(folder.glob("0*.md")) if f"({p.name})" not in index] == []
