from hypothesis import given

from holdfast.engine.state import State
from holdfast.model import events as ev
from holdfast.model.values import MAIN, AccountId
from holdfast.stats import fold_books, repeated_ids
from tests.stats.ledger import BTC, ETH, D, Ledger, trading


@given(trading)
def test_a_position_is_the_sum_of_its_fills_and_a_wallet_of_what_moved_it(ledger):
    books = fold_books(ledger.facts)
    fills = [fact for fact in ledger.facts if isinstance(fact, ev.OrderFilled)]

    for account, symbol in books.positions:
        own = [fill for fill in fills if (fill.account, fill.symbol) == (account, symbol)]
        assert books.positions[account, symbol] == sum(f.qty * f.side.sign for f in own)
    for account in (MAIN, AccountId("second")):
        own = [fill for fill in fills if fill.account == account]
        deposits = 10_000 if account == MAIN else 0
        earned = sum(fill.realized_pnl - fill.fee for fill in own)
        assert books.balance(account, "USDT") == deposits + earned


@given(trading)
def test_they_are_the_books_that_the_engine_keeps(ledger):
    state = State()
    for fact in ledger.facts:
        state.apply(fact)

    found = fold_books(ledger.facts).differences(
        {key: position.qty for key, position in state.positions.items()},
        {
            (name, asset): account.wallet(asset)
            for name, account in state.accounts.items()
            for asset in ("USDT",)
        },
    )

    assert found == []


def test_profit_goes_to_the_margin_asset_and_a_fee_to_its_own():
    ledger = Ledger()
    ledger.define(BTC, "USDC")
    ledger.deposit("100", "USDC")
    ledger.deposit("1", "BNB")
    ledger.buy("1", "100", fee="0.01", fee_asset="BNB")
    ledger.sell("1", "105", fee="0.02", fee_asset="BNB")
    ledger.funding("-0.5")

    books = fold_books(ledger.facts)

    assert books.balance(MAIN, "USDC") == 105
    assert books.balance(MAIN, "BNB") == D("0.97")
    assert books.balance(MAIN, "USDT") == D("-0.5")


def test_profit_of_a_contract_that_is_not_traded_here_is_in_its_quote_asset():
    ledger = Ledger()
    ledger.buy("1", "100", fee="0.01", fee_asset="BNB")
    ledger.sell("1", "105", fee="0.02", fee_asset="BNB")

    books = fold_books(ledger.facts)

    assert books.balance(MAIN, "USDT") == 5
    assert books.balance(MAIN, "BNB") == D("-0.03")


def test_an_adopted_position_replaces_what_was():
    ledger = Ledger()
    ledger.buy("2", "100")
    ledger.add(ev.PositionAdopted, symbol=BTC, qty=D(5), entry_price=D(99), reason="policy")
    ledger.sell("1", "100")

    assert fold_books(ledger.facts).positions[MAIN, BTC] == 4


def test_differences_are_named_and_what_is_missing_is_zero():
    ledger = Ledger()
    ledger.deposit("100")
    ledger.buy("2", "100", fee="0.01")
    books = fold_books(ledger.facts)

    found = books.differences({(MAIN, ETH): D(1)}, {(MAIN, "USDT"): D(100)})

    assert found == [
        "position BTCUSDT of account main: the facts make 2, not 0",
        "position ETHUSDT of account main: the facts make 0, not 1",
        "balance USDT of account main: the facts make 99.99, not 100",
    ]
    assert books.differences(books.positions, {(MAIN, "USDT"): D(100)}, D("0.01")) == []


def test_what_was_booked_twice_is_named():
    ledger = Ledger()
    fill = ledger.buy("1", "100")
    paid = ledger.funding("-1")
    money = ledger.deposit("5")

    assert repeated_ids(ledger.facts) == []
    assert repeated_ids([*ledger.facts, fill, paid, money, money]) == [
        f"trade {fill.trade_id} of BTCUSDT, account main: booked 2 times",
        f"payment {paid.payment_id} of account main: booked 2 times",
        f"payment {money.change_id} of account main: booked 3 times",
    ]
