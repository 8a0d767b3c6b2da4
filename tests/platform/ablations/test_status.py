"""The states of an ablation's cells, and what is left of them."""

from texprior.ablations.cells import Outcome
from texprior.ablations.status import cell_status, progress_of


def test_a_cell_whose_lock_is_held_is_running_and_others_are_as_they_ended():
    failed = Outcome("failed", "out of memory", arm="b", seconds=5.0)
    cells = [
        cell_status("a", 0, Outcome("finished", arm="a", seconds=40.0), locked=False),
        cell_status("b", 0, failed, locked=False),
        cell_status("b", 1, failed, locked=True),
        cell_status("c", 0, None, locked=False),
    ]
    assert [(cell.state, cell.reason) for cell in cells] == [
        ("finished", ""), ("failed", "out of memory"), ("running", ""), ("waiting", "")
    ]  # fmt: skip
    found = progress_of(cells)
    assert (found.finished, found.failed, found.running, found.waiting) == (1, 1, 1, 1)
    # half of the running cell and the whole waiting one, at 40 s each
    assert found.left_s == 60
