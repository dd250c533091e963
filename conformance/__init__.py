"""CPython's own suites on `acceptor.classic` in socketserver's place: `make conformance`."""
