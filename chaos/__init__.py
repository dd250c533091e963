"""What a server does when all goes wrong: `make chaos` prints it, `make soak` does it for long."""
