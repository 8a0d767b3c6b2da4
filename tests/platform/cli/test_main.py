"""The entry point: nothing heavy before it is needed, and every end with its exit code and a sentence."""

import errno
import json
import os
import subprocess
import sys

import click
import pytest

import texprior.cli

HEAVY = ("torch", "mlflow", "optuna", "albumentations", "cv2", "skimage", "rich.progress", "rich.live")


def run(code, *arguments):
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=180)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["prior", "--help"],
        ["plugins", "list"],
        ["plugins", "show", "adapter/cga"],
        ["models", "path", "defocus"],
        ["runs", "list", "--help"],
    ],
)
def test_looking_around_imports_nothing_heavy(arguments):
    done = run(
        "import json, sys; from texprior.cli import main; code = main(sys.argv[1:]); "
        f"print(json.dumps([code, [m for m in {HEAVY} if m in sys.modules]]))",
        *arguments,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []], done.stderr


def test_every_command_has_help(texprior):
    for command in texprior_commands():
        answer = texprior(*command, "--help")
        assert answer.code == 0
        assert answer.out.startswith("Usage: texprior")


def texprior_commands():
    families = {
        "plugins": ["list", "show"],
        "models": ["list", "show", "path", "export"],
        "weights": ["list", "import", "fetch"],
        "runs": ["list", "show", "compare", "diff", "export", "tag", "note", "delete", "clean", "unsent", "resend"],
    }
    for name in texprior.cli.COMMANDS:
        yield [name]
        yield from ([name, below] for below in families.get(name, []))


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["pior"], "No such command 'pior'"),
        (["prior"], "Missing argument 'EXPERIMENT'"),
        (["prior", "x.yaml", "--nonsense"], "No such option"),
        (["sweep", "x.yaml", "--trials", "0"], "not in the range"),
        (["restore", "--model", "m"], "Missing argument 'IMAGE...'"),
        (["models", "export", "m"], "Missing option '-o'"),
    ],
)
def test_wrong_usage_is_2(texprior, arguments, fragment):
    answer = texprior(*arguments)
    assert answer.code == 2
    assert fragment in answer.err
    assert answer.out == ""


@pytest.mark.parametrize(
    ("error", "code", "fragment"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.Abort(), 130, "interrupted"),
        (RuntimeError("the moon"), 1, "internal error: RuntimeError: the moon; please report it"),
    ],
)
def test_whatever_is_raised_is_a_sentence(texprior, monkeypatch, error, code, fragment):
    def raising():
        raise error

    monkeypatch.setattr("texprior.cli.commands.doctor._machine", raising)
    answer = texprior("doctor")
    assert (answer.code, answer.out) == (code, "")
    assert fragment in answer.err


def test_the_traceback_of_an_internal_error_is_shown_on_demand(monkeypatch, capsys):
    monkeypatch.setattr("texprior.cli.commands.doctor._machine", lambda: 1 / 0)
    monkeypatch.setenv("TEXPRIOR_DEBUG", "1")
    assert texprior.cli.main(["doctor"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error():
    code = "import sys; from texprior.cli import main; sys.exit(main(['plugins', 'list', '--json']))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(180) == 1


def test_python_m_texprior_is_the_command_line():
    done = subprocess.run([sys.executable, "-m", "texprior", "--version"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0
    assert done.stdout.startswith("texprior, version ")


def test_the_version_is_that_of_the_distribution():
    import importlib.metadata

    assert texprior.__version__ == importlib.metadata.version("texprior")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ENAMETOOLONG])
def test_what_the_machine_refuses_is_no_bug(texprior, monkeypatch, number):
    def refusing():
        raise OSError(number, os.strerror(number), "a/file")

    monkeypatch.setattr("texprior.cli.commands.doctor._machine", refusing)
    answer = texprior("doctor")
    assert answer.code == 1
    assert os.strerror(number) in answer.err
    assert "a/file" in answer.err
    assert "report it" not in answer.err


@pytest.mark.parametrize("error", [SystemExit(3), type("Mine", (BaseException,), {})("x"), BrokenPipeError(32, "gone")])
def test_what_is_no_exception_ends_with_a_sentence_too(texprior, monkeypatch, error):
    def raising():
        raise error

    monkeypatch.setattr("texprior.cli.commands.doctor._machine", raising)
    answer = texprior("doctor")
    assert (answer.code, answer.out) == (1, "")
    assert f"internal error: {type(error).__name__}: " in answer.err


def test_a_folder_that_was_removed_under_the_command(texprior, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    answer = texprior("doctor")
    assert (answer.code, answer.err) == (2, "error: the current folder is not there any more; go to another one\n")


def test_a_folder_of_runs_that_no_folder_can_be(texprior, tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, reason in (("x" * 300, "File name too long"), (str(tmp_path / "loop"), "its links form a circle")):
        monkeypatch.setenv("TEXPRIOR_RUNS", path)
        answer = texprior("runs", "resend")
        assert answer.code == 2
        assert f"cannot be a folder ({reason})" in answer.err
