"""F4: the state. The only room that writes SQL; everything else goes through `ports.store`."""

from rota.store.store import is_ready, make_ready, open_store

__all__ = ["is_ready", "make_ready", "open_store"]
