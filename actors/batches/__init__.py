"""Tasks that ask many questions at half the price, in batches."""
