"""The diffusion engine in one variable, sigma (Karras et al. 2022, arXiv 2206.00364). Imports torch only.

x_sigma = x_0 + sigma * n, with x_0 a layer of unit standard deviation and n ~ N(0, I).
"""
