"""Rules for sites: their settings, selectors, and the Engine of each."""
