"""F4: what is not a schedule: requests that have to prove where they come from, and files that are looked at."""
