"""Real processes over real sockets, killed, frozen, cut off and starved, and their books compared.

`holdfast-dev kill` starts `holdfast exchange` and `holdfast run`, does to them what happens to
machines, and holds the exchange's own books against the journal whenever there is a calm. Nothing
of this is reached from the product.
"""
