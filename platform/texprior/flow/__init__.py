"""Defines the steps of the pipeline.

A picture passes through them in this order:

image -> degrade -> predict -> decompose -> prior -> adapt -> sample -> recompose -> measure

Each module has the typed contract of its step, which plugins implement, and the function that runs the step:

- ``image``: reads and writes pictures; the contract of a data set
- ``degrade``: makes a degraded picture of a clean one
- ``predict``: makes a first, over-smooth estimate of the clean picture
- ``decompose``: splits a picture into structure and texture
- ``prior``: the denoiser of textures, its semantic encoder, and its attention
- ``adapt``: steers the frozen prior by the estimate
- ``sample``: turns noise into a layer with the denoiser
- ``recompose``: adds the sampled layer to the base
- ``measure``: scores pictures and sets of pictures

Seven modules help these steps:

- ``kinds``: the kinds of components, each with the contract of its implementations
- ``condition``: blurs or noises the picture that the denoiser is conditioned on
- ``code``: gives each part of a picture the tokens of its own place
- ``precision``: how exactly a GPU computes scores, codes and training steps
- ``launch``: starts workers; the contract of a launcher
- ``compiled``: compiles the network calls of training steps
- ``tile``: cuts large pictures into tiles
- ``unfreeze``: trains copies of some of the prior's weights next to an adapter

And these help to read pictures:

- ``picture_files``: lists the pictures in a folder
- ``picture_limits``: opens files up to a number of pixels
- ``pixels``: turns the pixels of files into RGB, and checks their values
- ``given_picture``: takes tensors, arrays and PIL images from scripts
- ``wide_files``: files of 16 bits a value
- ``colour_profiles``, ``matrix_profiles``: convert to sRGB
- ``once``: says a warning once
"""
