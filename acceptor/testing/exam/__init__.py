"""The exam that every part must pass: one function for each kind of part."""
