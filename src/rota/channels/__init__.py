"""F4: one file per notification channel; each `send` blocks and is called in a host process."""
