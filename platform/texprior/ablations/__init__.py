"""Arms against a baseline: each trained under several seeds, restored, scored, compared and reported.

An arm is what is compared; a cell is an arm under one seed.

- ``run``: an ablation from its plan to its report
- ``plan``: the arms and cells of an experiment, checked before anything is trained
- ``work``: runs cells until every one has ended
- ``workers``: worker processes that claim cells
- ``arms``: from the grid and the named arms to resolved experiments
- ``budgets``: equal compute for all arms, and the predictor alone
- ``cells``: an arm under one seed: its experiment, its folder, its outcome
- ``run_cell``: trains, restores and scores one cell
- ``statistics``: intervals and p values; ``comparison``: every arm's scores and its difference from the baseline
- ``finish``: writes the report and closes the runs, once
- ``report``: the page, its text, figures and crops
- ``dry_run``: what an ablation would take here
"""
