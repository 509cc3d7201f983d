"""The eight indicators as published, masked, and what their readers search them by. One module a table."""
