"""Published figures traced to delivered lines, compared with their recomputation, verified and rebuilt."""
