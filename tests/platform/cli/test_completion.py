"""Words are completed in a shell: commands, options, files, and the names that texprior knows."""

import os
import shutil
import subprocess
import sys

import pytest

SHELLS = ["bash", "zsh", "fish"]


def texprior(arguments=(), **environment):
    command = [sys.executable, "-m", "texprior", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def completed(line, shell="bash"):
    """The completions of the last word of a line, as click writes them: type and value."""
    words = line.split(" ")
    known = {"bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}}
    given = known.get(shell, {"COMP_WORDS": line, "COMP_CWORD": words[-1]})
    if shell == "zsh":
        given = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = texprior(_TEXPRIOR_COMPLETE=f"{shell}_complete", **given)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_the_script_that_it_has_to_read(shell):
    done = texprior(_TEXPRIOR_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert f"_TEXPRIOR_COMPLETE={shell}_complete" in done.stdout


def test_commands_and_options_are_completed():
    assert completed("texprior res") == ["plain,restore"]
    assert completed("texprior restore --text") == ["plain,--texture-strength"]
    assert "plain,decomposition" in completed("texprior plugins list --kind ")


def test_names_that_texprior_knows_are_completed():
    assert completed("texprior restore --task def") == ["plain,defocus"]
    assert completed("texprior models path ") == ["plain,defocus", "plain,noise"]
    assert completed("texprior plugins show decomposition/l") == [
        "plain,decomposition/l0",
        "plain,decomposition/laplacian",
    ]
    assert completed("texprior adapt e.yaml --set sampling.st") == ["plain,sampling.start=", "plain,sampling.steps="]


def test_what_is_not_known_is_a_file():
    assert completed("texprior adapt expe") == ["file,expe"]
    assert completed("texprior restore --model ") == ["file,"]


@pytest.mark.parametrize("asked", ["bash_nothing", "tcsh_complete", "bash"])
def test_a_question_that_is_not_understood_prints_nothing(asked):
    done = texprior(_TEXPRIOR_COMPLETE=asked, COMP_WORDS="texprior ", COMP_CWORD="1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_itself_completes(tmp_path):
    """The script that texprior prints, run by bash as it does when a user presses the tab key."""
    (tmp_path / "texprior").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m texprior "$@"\n', encoding="utf-8")
    (tmp_path / "texprior").chmod(0o755)
    script = """
        compopt() { :; }
        eval "$(_TEXPRIOR_COMPLETE=bash_source texprior)"
        COMP_WORDS=(texprior restore --task n) COMP_CWORD=3
        _texprior_completion texprior n --task
        echo "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=environment)
    assert (done.stdout.strip(), done.stderr) == ("noise", "")
