"""F4: what is not a schedule. Whether a request is what it says it is, and what is in it."""
