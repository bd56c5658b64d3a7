"""What several checks need to know of an inventory, derived once: links, identities, footprints, paths, packets."""
