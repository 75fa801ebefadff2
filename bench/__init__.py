"""What Holdfast costs, measured beside a floor or a peer: `python -m bench [name ...]`."""
