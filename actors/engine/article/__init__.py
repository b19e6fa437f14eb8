"""The content of a page: several readings of its text and the choice among them, its title, authors and date."""
