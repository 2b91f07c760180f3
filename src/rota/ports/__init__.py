"""F3: what the engine asks of the rooms around it, as Protocols; the clock; named crash points."""
