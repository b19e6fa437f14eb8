"""What a payload may be: its model, its JSON Schema, the checks at the door."""
