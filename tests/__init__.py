"""Everything that is checked, from pure functions to the whole world."""
