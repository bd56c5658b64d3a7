"""The demonstration: a sample estate behind the replica, three nights, and what drifted between them."""
