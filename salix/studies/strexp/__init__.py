"""STRExp: what a text recogniser looks at, for each character and for the word."""
