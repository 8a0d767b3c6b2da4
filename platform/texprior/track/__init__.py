"""Tells every observer what happens in a run, and keeps on disk what a tracker could not record.

- ``observer``: what an observer is told; the contract of an events component
- ``tracker``: tells every observer; one that raises is left out, and the work goes on
- ``unsent``: writes down what a tracker could not record
- ``resend``: reads it back and tells it to the tracker again
"""

from texprior.track.observer import Buffering, DataInput, Observer, RunInfo, Status, Values, pending_of
from texprior.track.tracker import Run, Tracker

__all__ = ["Buffering", "DataInput", "Observer", "Run", "RunInfo", "Status", "Tracker", "Values", "pending_of"]
