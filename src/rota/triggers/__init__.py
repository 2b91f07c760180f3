"""What is not a schedule: the files that triggers look at."""
