"""F2: pure decisions over (state, now): what is due, catch-up, overlap, retry, order of steps, recovery."""
