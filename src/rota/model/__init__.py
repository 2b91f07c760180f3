"""F0: the nouns of rota as frozen types, the state machine of a run, and the errors. No I/O."""
