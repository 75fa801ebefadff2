"""The strategy of the wire bench on NautilusTrader 2 (Rust core, orders over the WebSocket API).

Runs as a script in an environment that has NautilusTrader 2 and nothing of Holdfast.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nautilus_trader import binance, common, live, model, trading

REST, WIRE, WS_API, KEY, SECRET_FILE, BUY, CLOSE, QTY = sys.argv[1:9]

SYMBOL = model.InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
SIZE = model.Quantity.from_str(QTY)
FUTURES = binance.BinanceProductType.USD_M


class Echo(trading.Strategy):
    """Answer marked trades."""

    def on_start(self) -> None:
        self.buy, self.close = float(BUY), float(CLOSE)
        self.subscribe_trades(SYMBOL)

    def on_trade(self, trade: model.TradeTick) -> None:
        size = float(trade.size)
        if size == self.buy:
            self._place(model.OrderSide.BUY, reduces=False)
        elif size == self.close:
            self._place(model.OrderSide.SELL, reduces=True)

    def _place(self, side: model.OrderSide, *, reduces: bool) -> None:
        self.submit_order(self.order_factory.market(SYMBOL, side, SIZE, reduce_only=reduces))


def main() -> None:
    provider = binance.BinanceInstrumentProviderConfig(load_all=True)
    keys = {"api_key": KEY, "api_secret": Path(SECRET_FILE).read_text()}
    data = binance.BinanceDataClientConfig(
        product_type=FUTURES,
        environment=binance.BinanceEnvironment.LIVE,
        base_url_http=REST,
        base_url_ws=f"{WIRE}/market/ws",
        instrument_provider=provider,
        **keys,
    )
    orders = binance.BinanceExecutionClientConfig(
        account_id=model.AccountId("BINANCE-001"),
        product_type=FUTURES,
        environment=binance.BinanceEnvironment.LIVE,
        base_url_http=REST,
        base_url_ws=f"{WIRE}/private/ws",
        base_url_ws_trading=WS_API,
        instrument_provider=provider,
        **keys,
    )
    builder = live.LiveNode.builder("bench", model.TraderId("BENCH-001"), common.Environment.LIVE)
    builder = builder.with_logging(common.LoggerConfig(stdout_level=common.LogLevel.ERROR))
    builder = builder.add_data_client(None, binance.BinanceDataClientFactory(), data)
    builder = builder.add_exec_client(None, binance.BinanceExecutionClientFactory(), orders)
    node = builder.build()
    node.add_strategy(Echo(trading.StrategyConfig()))
    node.run()


main()
