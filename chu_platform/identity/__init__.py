"""Who somebody is: accounts, sign-in, sessions. Nothing of this package reads rows of the lake."""
