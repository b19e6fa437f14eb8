"""The tasks that bring news in, from the feed's address to the stored story."""
