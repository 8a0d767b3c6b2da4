"""An experiment at work in a process.

- ``session``: one resolved experiment with what it needs to run
- ``builder``: builds the experiment's components on its device
- ``shared_caches``: what the sessions of one process share
- ``identity``: which work is the same work: digests of settings, pictures and programs
- ``program``: the files that are a component's program; ``syntax``: what of a Python file counts
- ``run_record``: what a run's record says: commit, budgets, components, pictures
- ``progress``: shows how far long work is, with rate and time left
- ``team``: the processes that torchrun starts to share a training
- ``worker_session``: starts a session in a worker process, from text
- ``workers``: the workers of a sweep or an ablation, which a launcher starts
- ``split_overlap``: pictures that two data sets share
- ``split_check``: whether the splits of a command can be used, before anything is trained
- ``device_clock``: the time at which a device has finished its work
- ``text_tables``: tables as Markdown and CSV
"""
