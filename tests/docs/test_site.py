"""The documentation as a site: broken links are errors."""

import json
import shutil
import subprocess
import sys

import pytest

import texprior


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory):
    """The site of this version, in a folder where an older and a newer one were built before."""
    folder = tmp_path_factory.mktemp("site")
    for other in ("0.0.9", "99.0rc1", "notes"):
        (folder / other).mkdir()
        (folder / other / "index.html").write_text(f"<title>{other}</title>", encoding="utf-8")
    command = [sys.executable, "docs/versions/build.py", "--site", str(folder)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_built_without_a_warning(site):
    pages = {p.name for p in (site / texprior.__version__).iterdir()}
    assert {"index.html", "hooks.html", "write-a-plugin.html"} <= pages


def test_each_version_stays_and_the_start_leads_to_the_newest_that_is_finished(site):
    listed = (site / "versions.js").read_text(encoding="utf-8").partition("=")[2].strip(" ;\n")
    assert json.loads(listed) == ["99.0rc1", texprior.__version__, "0.0.9"]
    assert f"url={texprior.__version__}/index.html" in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "notes" / "index.html").is_file()


@pytest.mark.parametrize("page", ["index.html", "reference/settings.html"])
def test_a_page_lets_its_reader_choose_a_version(site, page):
    """In a browser, from disk, from a page of any depth."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs chromium")
    address = (site / texprior.__version__ / page).as_uri()
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=5000",
        "--dump-dom",
        address,
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    select = shown.partition('<select aria-label="version')[2].partition("</select>")[0]
    assert [part.partition('"')[0] for part in select.split('value="')[1:]] == [
        "99.0rc1",
        texprior.__version__,
        "0.0.9",
    ]


def test_every_decision_is_listed(repository):
    folder = repository / "docs" / "adr"
    index = (folder / "index.md").read_text(encoding="utf-8")
    assert [p.name for p in sorted(folder.glob("0*.md")) if f"({p.name})" not in index] == []
