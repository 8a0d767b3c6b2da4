"""A sweep's trials: what is known of one that other processes ran."""

import json

from texprior import config
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.identity import experiment_identity
from texprior.runtime.session import Session
from texprior.sweeps.records import TrialRecord
from texprior.sweeps.trial import Trials


def test_what_workers_confirmed_is_known_whatever_their_threads(tmp_path):
    registry = Registry.discover()
    data = {"name": "x", "events": [], "sweep": {"space": {"adapter": ["cga"]}}}
    session = Session.start(config.resolve(data, registry), registry, root=tmp_path)
    worker = session.with_(experiment=session.experiment.model_copy(update={"threads": 1}))
    trial = TrialRecord(3, {"adapter": "cga"}, {}, "finished")
    there, here = (Trials(s, "study", tmp_path, tmp_path) for s in (worker, session))
    document = {"experiment": experiment_identity(there.experiment_of(trial, 7)), "values": {"psnr_rgb": 30.0}}
    path = there.folder(3) / "seed-7" / "values.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))
    assert here.is_known(trial, 7)
    assert here.train_again(trial, 7) == {"psnr_rgb": 30.0}
    other = session.with_(experiment=session.experiment.model_copy(update={"seed": 5, "adapter": Ref(name="sft")}))
    assert not Trials(other, "study", tmp_path, tmp_path).is_known(trial, 8)
