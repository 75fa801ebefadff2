"""Programs that `bench.wire_to_wire` runs in processes of their own."""
