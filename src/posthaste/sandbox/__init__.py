"""A simulated world at the wire: Macs that speak BlueBubbles, with phones behind them.

It is a program of its own that Posthaste talks to over sockets, so it imports nothing of ours but the clock and the
ids; whoever borrows more would be testing Posthaste against itself. `build(World(...))` is the whole of it as an ASGI
app.
"""
