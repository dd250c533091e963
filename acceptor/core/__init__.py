"""What every server is made of: contracts, values, the accept loop and the server itself.

Imports nothing from the other folders; they all may import from here.
"""
