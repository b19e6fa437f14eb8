"""Defines the tasks that send questions to AI providers in batches, at half the price."""
