"""Floor 5: the product against a hostile world, in one thread, from one seed.

What runs is the product's own: sessions, engine, recovery, the adapter with its codec, the
journal's chain, the exchange's request logic. What is simulated is what surrounds them: time,
the network, the disk, the machine, the market, the operator. Nothing else imports this room.
"""
