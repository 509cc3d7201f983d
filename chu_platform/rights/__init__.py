"""Rights of persons, and keys: erasure with a signed certificate, and the rotation of the key of the pseudonyms."""
