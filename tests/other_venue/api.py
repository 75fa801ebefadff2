"""What the other venue answers to requests, over REST and over the WebSocket API alike."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import parse_qsl

from . import contracts, rows
from .keys import KEY, made
from .orders import Refused

DEFAULT_WINDOW_MS = 5000
AHEAD_MS = 1000
ROWS_MAX = 1000
LAG_MS = 600
"""How far lists trail, where they do."""
MINUTE_MS = 60_000
WEEK_MS = 7 * 86_400_000
OPEN = frozenset(
    [
        "ping",
        "time",
        "exchangeInfo",
        "depth",
        "klines",
        "premiumIndex",
        "fundingInfo",
        "fundingRate",
        "ticker/price",
        "ticker/bookTicker",
        "ticker/24hr",
        "trades",
        "aggTrades",
    ]
)
KEYED = frozenset({"listenKey"})
DEPRECATED = frozenset({"/fapi/v1/account", "/fapi/v1/balance", "/fapi/v1/positionRisk"})


class Api:
    """Looks requests up in its own methods: GET /fapi/v1/openOrders is `get_openorders`."""

    def __init__(self, books, now, habits):
        self.books, self.now, self.habits = books, now, habits
        self.key = made("hmac")
        self.levels = {}
        self.keys = 0
        self.is_key_live = False
        self.maint_margin_ratio = 0.004

    def ask(self, verb, path, query):
        """Answer a REST request.

        Raises:
            Refused: as the venue refuses.
            LookupError: there is nothing of that name.
        """
        version, _, name = path.removeprefix("/fapi/").partition("/")
        method = getattr(self, f"{verb.lower()}_{name.replace('/', '_').lower()}", None)
        if method is None or path in DEPRECATED or version not in ("v1", "v2", "v3"):
            raise LookupError(path)
        return method(params_of(query))

    # Who asks

    def check(self, name, key, params, signed):
        """See that a request may be made; `signed` is the text that its signature is of."""
        if name in OPEN:
            return
        self.check_key(key)
        if name in KEYED:
            return
        self.check_time(params)
        if not self.key.is_good(signed, params.get("signature", "")):
            raise Refused(-1022, "Signature for this request is not valid.")

    def check_key(self, key):
        if key != KEY:
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def check_time(self, params):
        if not params.get("timestamp", "").isdigit():
            raise Refused(-1102, "Mandatory parameter 'timestamp' was not sent.")
        window = int(params.get("recvWindow", DEFAULT_WINDOW_MS))
        late = self.now() - int(params["timestamp"])
        if late > window:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")
        if late < -AHEAD_MS:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
            raise Refused(-1021, text)

    # The market

    def get_ping(self, p):
        return {}

    def get_time(self, p):
        return {"serverTime": self.now()}

    def get_exchangeinfo(self, p):
        return contracts.exchange_info(self.books.contracts, self.now(), self.habits)

    def get_fundinginfo(self, p):
        return []

    def get_fundingrate(self, p):
        return []

    def get_depth(self, p):
        price = self._price(p)
        if self.levels:
            return self.levels[p["symbol"]].snapshot(is_old="old_snapshots" in self.habits)
        now = self.now()
        levels = {"bids": [[rows.text(price), "5"]], "asks": [[rows.text(price + 1), "5"]]}
        return {"lastUpdateId": now, "E": now, "T": now, **levels}

    def get_klines(self, p):
        price, limit = rows.text(self._price(p)), int(p.get("limit", 500))
        end = int(p.get("endTime", self.now()))
        begins = range(end // MINUTE_MS - limit + 1, end // MINUTE_MS + 1)
        flat = [price] * 4
        return [
            [at * MINUTE_MS, *flat, "1.5", (at + 1) * MINUTE_MS - 1, "75000", 7, "1", "50", "0"]
            for at in begins
        ]

    def get_premiumindex(self, p):
        price = rows.text(self._price(p))
        row = {"symbol": p["symbol"], "markPrice": price, "indexPrice": price}
        row |= {"estimatedSettlePrice": price, "lastFundingRate": "0.0001"}
        times = {"nextFundingTime": self.now() + MINUTE_MS, "time": self.now()}
        return row | {"interestRate": "0.0001"} | times

    def get_ticker_price(self, p):
        return {"symbol": p["symbol"], "price": rows.text(self._price(p)), "time": self.now()}

    def get_ticker_bookticker(self, p):
        price = rows.text(self._price(p))
        sides = {"bidPrice": price, "bidQty": "5", "askPrice": price, "askQty": "5"}
        return {"symbol": p["symbol"], **sides, "time": self.now()}

    def _price(self, p):
        self.books.contract(p.get("symbol"))
        return self.books.prices[p["symbol"]]

    # The account

    def get_account(self, p):
        wallets = {asset: rows.text(each) for asset, each in self.books.wallets.items()}
        total = {"totalWalletBalance": wallets["USDT"], "availableBalance": wallets["USDT"]}
        assets = [
            rows.asset_row(asset, amount, rows.text(self.books.cross_wallet(asset)))
            for asset, amount in wallets.items()
        ]
        return {**total, "assets": assets, "positions": self.get_positionrisk(p)}

    def get_balance(self, p):
        found = self.books.wallets.items()
        return [{"accountAlias": "SgsR", "asset": a, "balance": rows.text(w)} for a, w in found]

    def get_positionrisk(self, p):
        books = self.books
        found = books.positions.items()
        wanted = p.get("symbol") or None
        return [
            rows.position_row(name, held, books.prices[name])
            for name, held in found
            if (held.qty or "flat_rows" in self.habits) and wanted in (None, name)
        ]

    def get_accountconfig(self, p):
        modes = {"dualSidePosition": self.books.is_hedged, "multiAssetsMargin": self.books.is_multi}
        can = {"canTrade": True, "canDeposit": True, "canWithdraw": True}
        return {"feeTier": 0, **can, **modes, "updateTime": 0, "tradeGroupId": -1}

    def get_symbolconfig(self, p):
        wanted = p.get("symbol")
        rest = {"isAutoAddMargin": False, "maxNotionalValue": "1000000"}
        isolated = self.books.isolated
        return [
            {
                "symbol": name,
                "marginType": "ISOLATED" if name in isolated else "CROSSED",
                "leverage": self.books.leverages.get(name, 20),
                **rest,
            }
            for name in self.books.contracts
            if wanted in (None, name)
        ]

    def get_leveragebracket(self, p):
        bracket: dict = {
            "bracket": 1,
            "initialLeverage": 100,
            "notionalCap": 10**9,
            "notionalFloor": 0,
        }
        bracket |= {"maintMarginRatio": self.maint_margin_ratio, "cum": 0.0}
        return [{"symbol": name, "brackets": [bracket]} for name in self.books.contracts]

    def get_commissionrate(self, p):
        rates = {"makerCommissionRate": "-0.000100", "takerCommissionRate": "0.000500"}
        return {"symbol": p["symbol"], **rates, "rpiCommissionRate": "0.000500"}

    def post_leverage(self, p):
        if "leverage_refused" in self.habits:
            raise Refused(-4028, f"Leverage {p['leverage']} is not valid.")
        self.books.leverages[p["symbol"]] = int(p["leverage"])
        return {
            "leverage": int(p["leverage"]),
            "maxNotionalValue": "1000000",
            "symbol": p["symbol"],
        }

    def post_margintype(self, p):
        self.books.set_mode(p["symbol"], p["marginType"] == "ISOLATED")
        return {"code": 200, "msg": "success"}

    def get_positionside_dual(self, p):
        return {"dualSidePosition": self.books.is_hedged}

    def post_positionside_dual(self, p):
        self.books.set_hedged(is_hedged=p["dualSidePosition"].lower() == "true")
        return {"code": 200, "msg": "success"}

    def get_multiassetsmargin(self, p):
        return {"multiAssetsMargin": self.books.is_multi}

    def post_countdowncancelall(self, p):
        self.books.count_down(p["symbol"], int(p["countdownTime"]))
        return {"symbol": p["symbol"], "countdownTime": p["countdownTime"]}

    # Orders

    def post_order(self, p):
        order = self.books.place(p)
        row = rows.order_row(order)
        if p.get("newOrderRespType") != "RESULT" and "results" not in self.habits:
            row |= {"status": "NEW", "executedQty": "0", "cumQty": "0"}
        return row

    def put_order(self, p):
        order = self._order(p, -2013)
        self.books.amend(order, Decimal(p["quantity"]), Decimal(p["price"]))
        return rows.order_row(order)

    def delete_order(self, p):
        order = self._order(p, -2011)
        self.books.cancel(order)
        return rows.order_row(order)

    def get_order(self, p):
        return rows.listed_order(self._order(p, -2013))

    def _order(self, p, code):
        self.books.contract(p.get("symbol"))
        name = p.get("origClientOrderId", "")
        order = self.books.find(p["symbol"], p.get("orderId", ""), name)
        if order is None or (code == -2013 and self._is_hidden(order.made)):
            text = "Order does not exist." if code == -2013 else "Unknown order sent."
            raise Refused(code, text)
        return order

    def _is_hidden(self, made, habit="lags"):
        """Tell whether lists do not show yet what was made then."""
        return habit in self.habits and self.now() - made < LAG_MS

    def get_openorders(self, p):
        found = self.books.open_orders(p.get("symbol"))
        return [rows.listed_order(each) for each in found if not self._is_hidden(each.made)]

    def get_allorders(self, p):
        first = int(p.get("orderId", 0))
        known = [each for each in self.books.orders.values() if each.symbol == p["symbol"]]
        listed = [rows.listed_order(each) for each in known if each.order_id >= first]
        return sorted(listed, key=lambda row: row["orderId"])[:ROWS_MAX]

    def delete_allopenorders(self, p):
        for order in self.books.open_orders(p["symbol"]):
            self.books.cancel(order)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def get_usertrades(self, p):
        first, since = int(p.get("fromId", 0)), int(p.get("startTime", 0))
        until = int(p.get("endTime", 10**15))
        if "startTime" in p and until - since > WEEK_MS:
            raise Refused(-4166, "Search window is restricted to recent 7 days only.")
        found = [
            rows.trade_row(each)
            for each in self.books.fills
            if each.order.symbol == p["symbol"] and each.trade_id >= first
            and p.get("orderId") in (None, str(each.order.order_id))
            and since <= each.at <= until and not self._is_hidden(each.at, "late_trades")
        ]  # fmt: skip
        return self._page(found, p, is_newest="fromId" not in p)

    def _page(self, found, p, *, is_newest=True):
        """Cut a list: which end of a span is left out where it has too much, nobody promises."""
        limit = min(int(p.get("limit", 500)), ROWS_MAX)
        return found[-limit:] if is_newest and "newest_first" in self.habits else found[:limit]

    def get_income(self, p):
        since, until = int(p.get("startTime", 0)), int(p.get("endTime", 10**15))
        found = [each for each in self.books.income if since <= each["time"] <= until]
        return self._page(found, {"limit": 100, **p})

    # Conditional orders

    def post_algoorder(self, p):
        return rows.algo_row(self.books.place_algo(p))

    def delete_algoorder(self, p):
        algo = self._algo(p, -2011)
        self.books.cancel_algo(algo)
        names = {"algoId": algo.algo_id, "clientAlgoId": algo.client_id}
        return {**names, "code": "200", "msg": "success"}

    def get_algoorder(self, p):
        return rows.listed_algo(self._algo(p, -2013))

    def _algo(self, p, code):
        algo = self.books.find_algo(p.get("algoId", ""), p.get("clientAlgoId", ""))
        if algo is None:
            raise Refused(code, "Order does not exist." if code == -2013 else "Unknown order sent.")
        return algo

    def get_openalgoorders(self, p):
        found = self.books.open_algos(p.get("symbol"))
        return [rows.listed_algo(each) for each in found if not self._is_hidden(each.made)]

    # The user stream's key

    def post_listenkey(self, p):
        self.keys += not self.is_key_live
        self.is_key_live = True
        return {"listenKey": self.listen_key}

    def put_listenkey(self, p):
        if not self.is_key_live:
            raise Refused(-1125, "This listenKey does not exist.")
        return {"listenKey": self.listen_key}

    def delete_listenkey(self, p):
        self.is_key_live = False
        return {}

    @property
    def listen_key(self):
        return f"{self.keys:04d}" + "pqia91ma19a5s61cv6a81va65sdf19v8a65a1a5s61cv6a81va65sd"


METHODS = {
    "order.place": Api.post_order,
    "order.modify": Api.put_order,
    "order.cancel": Api.delete_order,
    "order.status": Api.get_order,
    "algoOrder.place": Api.post_algoorder,
    "algoOrder.cancel": Api.delete_algoorder,
    "v2/account.status": Api.get_account,
    "v2/account.balance": Api.get_balance,
    "v2/account.position": Api.get_positionrisk,
}


def params_of(query):
    return dict(parse_qsl(query, keep_blank_values=True))


def rest_signed(query):
    """Return what a REST signature is of: all but itself, as it was transmitted."""
    return "&".join(part for part in query.split("&") if not part.startswith("signature="))


def ws_signed(params):
    parts = (f"{name}={params[name]}" for name in sorted(params) if name != "signature")
    return "&".join(parts)
