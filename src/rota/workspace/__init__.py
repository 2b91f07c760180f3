"""F4: what is in a workspace's folder: its layout, its job files, its secrets."""
