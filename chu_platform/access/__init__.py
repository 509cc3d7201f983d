"""The gate through which serving components read rows, and the journal of what it answered."""
