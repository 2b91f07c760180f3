"""F4: the kinds of step, one file each, and their registry."""
