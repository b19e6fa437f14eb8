"""From the address that a person has to the feeds behind it."""
