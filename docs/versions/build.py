"""Builds the site of this version beside those of other versions.

    python docs/versions/build.py [--site DIR]

Run it at the top level of the repository. The pages of this version are in ``site/VERSION``. Other versions that were
built into the same folder stay, and each page lets its reader choose one of them. It works from disk and from any
static server.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from packaging.version import InvalidVersion, Version

import texprior

LIST = "versions.js"
"""What the pages of all versions read: which versions there are. A script, as a page on disk may not read JSON."""
START = """<!doctype html>
<meta charset="utf-8">
<title>texprior</title>
<meta http-equiv="refresh" content="0; url={0}/index.html">
"""


def main() -> int:
    """Builds the site, and lists the versions that are there; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--site", type=Path, default=Path("site"), help="folder of the site (default: site)")
    site: Path = parser.parse_args().site
    target = site / texprior.__version__
    done = subprocess.run(
        [sys.executable, "-m", "properdocs", "build", "--strict", "--site-dir", str(target)], check=False
    )
    if done.returncode == 0:
        list_versions(site)
        sys.stdout.write(f"docs: {site / 'index.html'}\n")
    return done.returncode


def list_versions(site: Path) -> list[str]:
    """Writes which versions ``site`` holds, and a start page for the newest; returns them, newest first."""
    found = [folder.name for folder in site.iterdir() if (folder / "index.html").is_file() and _number(folder.name)]
    found.sort(key=Version, reverse=True)
    (site / LIST).write_text(f"window.texpriorVersions = {json.dumps(found)};\n", encoding="utf-8")
    finished = [name for name in found if not Version(name).is_prerelease]
    (site / "index.html").write_text(START.format((finished or found)[0]), encoding="utf-8")
    return found


def _number(name: str) -> Version | None:
    try:
        return Version(name)
    except InvalidVersion:
        return None


if __name__ == "__main__":
    sys.exit(main())
