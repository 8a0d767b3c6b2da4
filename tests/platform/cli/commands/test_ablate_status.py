"""``texprior ablate --status`` before and after the cells are run."""

from texprior.locks import hold_lock

SAMPLED = {"grid": {"sampling.steps": [1, 2]}, "seeds": [0], "metric": "psnr_rgb"}


def test_the_status_trains_nothing_and_counts_what_has_ended(texprior, in_study, write):
    file = write(name="watched", ablation={**SAMPLED, "model": str(in_study.model)})
    before = texprior("ablate", file, "--status", "--json")
    assert before.code == 0, before.err
    assert [cell["state"] for cell in before.json["cells"]] == ["waiting", "waiting"]
    assert before.json["left_s"] is None
    assert not list(in_study.runs.glob("watched/cell-*"))
    assert texprior("ablate", file).code == 0
    after = texprior("ablate", file, "--status")
    assert after.code == 0
    assert after.out.endswith("2 of 2 cells done (2 finished); nothing is left\n")
    # a process that runs a cell holds its lock
    cell = next((in_study.runs / "watched").glob("cell-*"))
    with hold_lock(in_study.runs / ".locks" / f"watched-{cell.name}.lock"):
        assert "1 of 2 cells done (1 finished, 1 running); about " in texprior("ablate", file, "--status").out
