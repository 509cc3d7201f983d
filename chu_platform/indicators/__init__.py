"""What an indicator is declared with: the declaration, its rates and intervals, and the words that questions share."""
