"""The processes that `zeke-jobs up` starts, watches and restarts."""
