"""The DataLoader's inner parts: collating, fetching, worker processes and their transport."""

#: Seconds between two looks at whether the process at the other end still lives.
MP_STATUS_CHECK_INTERVAL = 1.0
