"""The steps of the walk, in the order in which a picture meets them; each a typed contract and the function that
runs it:

image -> degrade -> predict -> decompose -> prior -> adapt -> sample -> recompose -> measure
"""
