"""Reports the events of a run to every observer.

Stores on disk what a tracker could not record.

- ``observer``: the methods of an observer, which are the contract of an events component
- ``tracker``: calls every observer; one that raises is left out, and the work continues
- ``unsent``: writes events that a tracker could not record to a folder
- ``resend``: reads them back and sends them to the tracker
- ``embedded``: finds MLflow's embedded store, and keeps its addresses right if its folder is moved
"""

from texprior.track.observer import EVENTS, Buffering, DataInput, Observer, RunInfo, Status, Values, pending_of
from texprior.track.tracker import Run, Tracker

__all__ = [
    "EVENTS",
    "Buffering",
    "DataInput",
    "Observer",
    "Run",
    "RunInfo",
    "Status",
    "Tracker",
    "Values",
    "pending_of",
]
