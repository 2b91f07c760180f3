"""F4: the state. The only room that writes SQL; everything else goes through `ports.store`."""

from rota.store.store import open_store

__all__ = ["open_store"]
