"""The commands, one file a group.

A command reads its options, opens what it needs, runs one action, and says what came of it.
"""
