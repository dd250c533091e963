"""The contestants: `python -m benchmarks.servers.MODULE WHICH KIND [PATH]` prints where it is.

The kinds of work: `lines` and `slow` (lines, of which some ask to sleep), `tls` (lines),
`udp` and `unix` (datagrams; PATH is where to bind), `http` (hello).
"""
