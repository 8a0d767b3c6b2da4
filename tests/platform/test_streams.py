"""Output that is closed, full, read by nobody or not UTF-8: the work is done, the code is right, no traceback."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

import texprior.cli
from texprior.streams import ReaderGone, SafeStream, safe_streams

FULL = Path("/dev/full")
RUN = "import sys; from texprior.cli import main; sys.exit(main(sys.argv[1:]))"
UNWRITTEN = "error: the output could not be written"


def shell(line, *arguments, **environment):
    """Runs the command line under a shell's redirections: $0 is Python, $@ the arguments."""
    return subprocess.run(
        ["bash", "-c", line, sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        timeout=120,
        env={**os.environ, **environment},
    )


def _leaves():
    for name in texprior.cli.COMMANDS:
        command = texprior.cli.cli.get_command(click.Context(texprior.cli.cli), name)
        below = list(command.commands) if isinstance(command, click.Group) else []
        yield from ([name, part] for part in below) if below else [[name]]


LEAVES = list(_leaves())
"""Every command."""


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_a_full_output_is_code_1_and_a_sentence(command, monkeypatch, capsys):
    with FULL.open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert texprior.cli.main([*command, "--help"]) == 1
        monkeypatch.undo()
    assert capsys.readouterr().err == f"{UNWRITTEN} (No space left on device); what the command stored is kept\n"


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_a_full_or_closed_stderr_leaves_the_code_as_it_is(command, monkeypatch):
    for broken in (None, closed()):
        monkeypatch.setattr(sys, "stderr", broken)
        assert texprior.cli.main([*command, "--no-such-option"]) == 2


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("arguments", [["--version"], ["plugins", "list"], ["plugins", "list", "--json"]], ids=" ".join)
def test_a_closed_stdout_is_code_1_and_a_sentence(arguments):
    done = shell('exec "$0" "$@" >&-', *arguments)
    assert (done.returncode, done.stderr.decode()) == (
        1,
        f"{UNWRITTEN} (it is closed); what the command stored is kept\n",
    )


@pytest.mark.parametrize("ends", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_no_file_gets_what_was_meant_for_a_closed_stream(tmp_path, ends):
    # Python gives the first file that it opens the lowest free number, which is that of a closed stdout or stderr
    code = (
        "import os\nfrom texprior.streams import safe_streams\n"
        "with safe_streams():\n  file = open('kept', 'w')\n  os.write(1, b'noise')\n  file.write('kept')\n"
    )
    line = f'exec "$0" -c "$1" {ends}'
    assert subprocess.run(["bash", "-c", line, sys.executable, code], cwd=tmp_path, timeout=120).returncode == 0
    assert (tmp_path / "kept").read_text(encoding="utf-8") == "kept"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
def test_a_worker_works_on_if_its_messages_cannot_be_written(tmp_path):
    file = tmp_path / "workers.py"
    file.write_text(WORKERS, encoding="utf-8")
    done = shell('exec "$0" "$3" "$4" 2>/dev/full', str(file), str(tmp_path / "done"))
    assert (done.returncode, done.stdout.decode(), (tmp_path / "done").exists()) == (0, "{}\n", True)


WORKERS = """
import functools, pathlib, sys
from texprior.processes import run_processes


def work(file):
    print("a message", file=sys.stderr, flush=True)
    pathlib.Path(file).touch()


if __name__ == "__main__":
    print(run_processes({"one": functools.partial(work, sys.argv[1])}))
"""


def test_a_reader_that_has_gone_is_no_error_that_a_component_could_handle():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        stream = SafeStream(pipe, stops=True)
        stream.write("text")
        with pytest.raises(ReaderGone):
            stream.flush()
        stream.write("is dropped")  # and nothing is raised again
        assert stream.fault == "Broken pipe"
    assert not issubclass(ReaderGone, Exception)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-16"])
def test_json_is_the_same_in_every_encoding(encoding):
    done = shell('exec "$0" "$@"', "plugins", "show", "degradation/defocus", "--json", PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    same = shell('exec "$0" "$@"', "plugins", "show", "degradation/defocus", "--json", PYTHONIOENCODING="utf-8")
    assert json.loads(done.stdout.decode(encoding)) == json.loads(same.stdout)
    assert "≥" in same.stdout.decode()


def test_characters_that_an_encoding_lacks_are_shown_in_another_way(monkeypatch):
    below = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", below)
    with safe_streams():
        sys.stdout.write("PSNR ↑ ≥ ±½ é 🙂 \udce9")
    below.flush()
    assert below.buffer.getvalue().decode("cp1252").strip() == r"PSNR ^ >= ±½ é \U0001f642 \udce9"


def test_a_table_in_ascii(texprior_in_ascii):
    done = texprior_in_ascii("plugins", "show", "degradation/defocus")
    assert done.returncode == 0, done.stderr
    assert ">= " in done.stdout.decode("ascii")


@pytest.fixture
def texprior_in_ascii():
    return lambda *arguments: shell('exec "$0" "$@"', *arguments, PYTHONIOENCODING="ascii")


def test_the_streams_are_put_back():
    before = sys.stdout, sys.stderr
    with safe_streams() as output:
        assert sys.stdout is output
    assert (sys.stdout, sys.stderr) == before


def test_bytes_are_taken_as_text():
    """click writes bytes for a command that echoes them."""
    below = io.StringIO()
    click.echo("r\xe9sum\xe9".encode(), file=SafeStream(below))
    assert below.getvalue().strip() == "r\xe9sum\xe9"
