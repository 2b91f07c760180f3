"""F4: the loops (scheduler, dispatcher, outbox, recovery), one run, and the child processes."""
