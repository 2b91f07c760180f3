"""F6: the command line. It parses, calls app, and prints: data on stdout, everything else on stderr."""
