"""The work itself: plain synchronous functions over ports. Knows no thread, socket, database or USB.

Every run of a job (the first, one after a wait, one after a crash) is the same function: it reads the device,
the bureau and the job's own journal, and does the next thing that the decision table allows.
"""
