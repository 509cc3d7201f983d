"""How easily rows of the pseudonymised zone can lead to a person: k-anonymity, l-diversity, t-closeness."""
