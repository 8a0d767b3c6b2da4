"""The three trainings, on one loop: Stage I's prior, then Stage II's predictor and adapter.

- ``prior``, ``predictor``, ``adapter``: one training each, from its pictures to its folder
- ``loop``: the training loop, a generator of typed steps
- ``trainee``: the network in training with its optimiser and its average, and what a checkpoint holds of them;
  ``checkpoints``: writes them in a thread
- ``run``: one training as a tracked run, resumed from the furthest checkpoint
- ``step_reports``: what is reported of the steps; ``divergence``: which component made steps not finite;
  ``spikes``: notices if the loss jumps
- ``losses``: what each training minimises
- ``data``: the photographs that each training sees; ``patches``: patches cut from them;
  ``ahead``: prepares the next ones in worker processes; ``kept``: what is derived from them, on disk
- ``folders``: folders named by what decides their content, and the checkpoints in them
- ``leftovers``: what finished trainings left behind and nothing needs
- ``differences``: why a training is not one that is stored
- ``match_strength``: finds the decomposition's strength before Stage I is trained
- ``held_out``: what a training learned, on photographs that it did not see; ``cards``: model cards
- ``compute``: FLOPs of the trainings' steps
- ``preflight``: raises before training if components cannot work together
- ``dry_run``: what a training would take here; ``planned``: whether it would be reused, done here, or is missing
"""
