"""Priors and models: built, saved as folders, loaded, and sampled.

- ``build``: the networks of a prior and of a model, with initial weights, on their device
- ``folders``: priors, predictors and models as folders of YAML and safetensors
- ``prior_search``: finds the prior of a model by its content, also after it was moved
- ``export``: trained models as folders that restore on any machine; ``hub_card``: the card of such a folder
- ``checksums``: the digests of a folder's files; ``shipped``: the models that texprior ships, by task
- ``stage_one``: the settings that an experiment states and a prior has differently
- ``inputs``: what Stage II derives from a degraded picture before it samples
- ``sections``: cuts a large picture into sections, which are restored one after the other
- ``sampling``: the sampler and the noise levels that the section ``sampling`` describes
"""
