"""F5: the one facade that every door calls: commands, queries, wiring, the daemon."""
