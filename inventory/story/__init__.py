"""One oversell, one story: its sales, its listings, its delay, its decisions."""
