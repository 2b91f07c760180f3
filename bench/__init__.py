"""The bench: rota, its peers and the machine's limits, measured in turns in one run (`make bench`)."""
