"""What the product costs, measured against bare baselines in the same run.

`make bench` prints the table; nothing here is a test.
"""
