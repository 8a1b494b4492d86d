"""HTTP: every route parses, calls one action, and renders. No rule of sending and no SQL lives here."""
