"""An ablation in several processes, killed and interrupted on the way."""

import os
import re
import signal
import subprocess
import sys
import threading
import time

GRID = {"grid": {"decomposition": ["guided", "l0"]}, "seeds": [0, 1], "metric": "psnr_rgb"}


def start(*arguments):
    command = [sys.executable, "-m", "texprior", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_workers_share_the_cells_and_take_up_what_a_killed_one_began(texprior, write, runs, capfd):
    file = write(ablation={**GRID, "seeds": [0]})
    killed = start("ablate", file, "--set", "training.adapter.budget.images=1000000")
    wait_for(lambda: list(runs.glob("tiny/predictor-*/predictor.safetensors")), killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    capfd.readouterr()
    answer = texprior("ablate", file, "--workers", 2, "--json")
    err = capfd.readouterr().err  # the workers' own
    assert answer.code == 0, answer.err + err
    begun = re.findall(r"worker (\d): cell \d of 2: (\w+), seed 0", err)
    assert sorted(arm for _, arm in begun) == ["guided", "l0"]  # each once
    assert {worker for worker, _ in begun} == {"1", "2"}
    assert [cell["status"] for cell in answer.json["cells"]] == ["finished"] * 2
    assert len(list(runs.glob("tiny/predictor-*"))) == 1  # the killed one's


def test_ctrl_c_saves_and_the_same_command_goes_on(texprior, write, runs):
    file = write(ablation=GRID)
    often = ["training.prior.checkpoint_every_s=0.05", "training.prior.budget.images=1000000"]

    def press() -> None:
        while not list(runs.glob("tiny/prior-*/checkpoint.safetensors")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    answer = texprior("ablate", file, *(f"--set={value}" for value in often), "--json")
    assert answer.code == 130, answer.err
    assert (answer.json["error"]["kind"], answer.json["error"]["exit_code"]) == ("interrupted", 130)
    assert "the same command continues from there" in answer.err
    assert not list(runs.glob("tiny/cell-*/cell.json"))
    interim = texprior("ablate", file, "--report", "--json")
    assert interim.code == 0, interim.err
    assert interim.json["cells"] == []
    assert "there is no answer" in interim.json["answer"]
