"""Priors and models: built, saved as folders, loaded, and sampled.

- ``build``: the networks of a prior and of a model, with initial weights, on their device
- ``folders``: priors, predictors and models as folders of YAML and safetensors
- ``inputs``: what Stage II derives from a degraded picture before it samples
- ``sampling``: the sampler and the noise levels that the section ``sampling`` describes
"""
