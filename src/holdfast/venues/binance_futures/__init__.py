"""Binance USD-M Futures: a pure codec and outcome table, and the sockets around them."""
