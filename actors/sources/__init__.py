"""The tasks from a feed's address to the stored story."""
