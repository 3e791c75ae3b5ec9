-- A car starts each time alike.
stream_defaults.enabled = false
