"""Has the tasks that turn a feed's address into stored stories."""
