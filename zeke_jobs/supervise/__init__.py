"""Starts, watches and restarts the processes of `zeke-jobs up`."""
