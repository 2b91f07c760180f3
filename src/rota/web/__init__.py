"""F6: the HTTP door. It speaks HTTP, and calls the app; it knows no job and no state."""
