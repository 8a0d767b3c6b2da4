"""An experiment at work in a process.

- ``session``: one resolved experiment with what it needs to run
- ``identity``: which work is the same work: hashes of settings, pictures and programs
- ``run_record``: what a run's record says: commit, budgets, components, pictures
- ``progress``: shows how far long work has come, with rate and time left
- ``team``: the processes that torchrun starts to share a training
- ``split_overlap``: pictures that two data sets share
"""
