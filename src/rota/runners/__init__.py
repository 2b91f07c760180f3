"""F4: what executes agent steps, one file a runner, and their registry."""
