"""The declaration of an indicator, and what several declarations share: rates, confidence intervals, questions."""
