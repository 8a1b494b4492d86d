"""The whole system in one process under virtual time, with faults at every commit and call boundary, many seeds."""
