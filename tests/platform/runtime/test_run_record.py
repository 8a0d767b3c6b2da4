"""The commit that a run records is that of texprior's source, wherever it is started; and the typed command."""

import subprocess

import pytest

from texprior.runtime.run_record import commit_of, current_commit, typed_command


@pytest.fixture
def unrelated(tmp_path):
    """A repository of something else, with one commit."""
    git(tmp_path, "init", "-q")
    (tmp_path / "notes.txt").write_text("1")
    git(tmp_path, "add", "notes.txt")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "one")
    return tmp_path


def git(folder, *arguments):
    try:
        return subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()
    except OSError:
        pytest.skip("git is not installed")


def test_the_current_folder_and_git_s_variables_do_not_matter(unrelated, monkeypatch, repository):
    current_commit.cache_clear()
    monkeypatch.chdir(unrelated)
    monkeypatch.setenv("GIT_DIR", str(unrelated / ".git"))
    found = current_commit()
    current_commit.cache_clear()
    monkeypatch.delenv("GIT_DIR")
    assert found != git(unrelated, "rev-parse", "HEAD")
    if (repository / ".git").exists():
        assert found.rstrip("+") == git(repository, "rev-parse", "HEAD")


def test_a_repository_that_does_not_track_the_file_is_not_meant(unrelated):
    """As that of a project in whose folder the environment with texprior lies."""
    installed = unrelated / ".venv" / "texprior.py"
    installed.parent.mkdir()
    installed.touch()
    assert commit_of(installed) == ""


def test_changes_of_tracked_files_are_marked(unrelated):
    head = git(unrelated, "rev-parse", "HEAD")
    (unrelated / "new.txt").touch()
    assert commit_of(unrelated / "notes.txt") == head
    (unrelated / "notes.txt").write_text("2")
    assert commit_of(unrelated / "notes.txt") == f"{head}+"


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("/opt/bin/texprior", "texprior sweep 'a b.yaml' --storage 'postgresql://me:***@h/x'"),
        ("/opt/texprior/__main__.py", "texprior sweep 'a b.yaml' --storage 'postgresql://me:***@h/x'"),
        ("/opt/bin/jupyter", ""),
        ("/opt/other/__main__.py", ""),
    ],
)
def test_the_typed_command_is_recorded_without_its_password(monkeypatch, program, command):
    monkeypatch.setattr("sys.argv", [program, "sweep", "a b.yaml", "--storage", "postgresql://me:S3cret@h/x"])
    assert typed_command() == command
