"""The index of the workspace's text files, what is found in it, and the context that prompts are given from it.

Derived data: a file of its own in `.rota/cache/`, rebuilt when it is missing, damaged or of another version.
"""
