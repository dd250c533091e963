"""Side by side with the standard library's servers: `make bench`."""
