"""Every answer of HTTP has the fields of the official client's models, each of the right type.

The lists lie outside the repository. What the models have wrongly, or only sometimes, stands in a
table with its reason.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from holdfast.exchange import PositionSide
from holdfast.exchange_server.errors import TEXTS
from holdfast.model.market import Funding, MarkPrice
from holdfast.model.values import AccountId
from tests.exchange_server.rest_desk import BTC, ETH, Clock, rest_desk
from tests.exchange_server.stream_desk import FIELDS, sdk_fields

pytestmark = pytest.mark.skipif(
    not FIELDS.exists(), reason="the official client's field lists are not here"
)

KINDS = {"str": str, "int": int, "bool": bool}
NUMBER = (int, float)
NOT_FIELDS = {"additional_properties"}

OLD_TRAILING = {"activatePrice", "priceRate"}  # of trailing stops from before the algo service
OF_A_PART_REFUSED = {"code", "msg"}
ASKED_ALONE = {"modifyId"}  # where the request had one

SYMBOL = {"symbol": BTC}
PAIR = {"pair": BTC, "contractType": "PERPETUAL", "interval": "1m"}
STATISTIC = {"symbol": BTC, "period": "5m"}
LIMIT = {"symbol": BTC, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
LIMIT |= {"price": "49000"}
STOP = {"symbol": BTC, "side": "SELL", "type": "STOP_MARKET", "algoType": "CONDITIONAL"}
STOP |= {"quantity": "0.01", "triggerPrice": "45000"}

OPEN, SIGNED = False, True
Row = tuple[str, str, bool, dict, str, set[str]]
ROWS: list[Row] = [
    # verb, path, whether signed, parameters, model, fields that need not be there
    ("GET", "/fapi/v1/time", OPEN, {}, "CheckServerTimeResponse", set()),
    ("GET", "/fapi/v1/exchangeInfo", OPEN, {}, "ExchangeInformationResponse", set()),
    ("GET", "/fapi/v1/depth", OPEN, SYMBOL, "OrderBookResponse", set()),
    ("GET", "/fapi/v1/rpiDepth", OPEN, SYMBOL, "RpiOrderBookResponse", set()),
    ("GET", "/fapi/v1/trades", OPEN, SYMBOL, "RecentTradesListResponse", set()),
    ("GET", "/fapi/v1/historicalTrades", SIGNED, SYMBOL, "OldTradesLookupResponse", set()),
    ("GET", "/fapi/v1/aggTrades", OPEN, SYMBOL, "CompressedAggregateTradesListResponse", set()),
    ("GET", "/fapi/v1/premiumIndex", OPEN, SYMBOL, "MarkPriceResponse1", set()),
    ("GET", "/fapi/v1/premiumIndex", OPEN, {}, "MarkPriceResponse2", set()),
    ("GET", "/fapi/v1/fundingRate", OPEN, SYMBOL, "GetFundingRateHistoryResponse", set()),
    ("GET", "/fapi/v1/ticker/24hr", OPEN, SYMBOL, "Ticker24hrPriceChangeStatisticsResponse1",
     set()),
    ("GET", "/fapi/v1/ticker/24hr", OPEN, {}, "Ticker24hrPriceChangeStatisticsResponse2", set()),
    ("GET", "/fapi/v1/ticker/price", OPEN, SYMBOL, "SymbolPriceTickerResponse1", set()),
    ("GET", "/fapi/v1/ticker/price", OPEN, {}, "SymbolPriceTickerResponse2", set()),
    ("GET", "/fapi/v2/ticker/price", OPEN, SYMBOL, "SymbolPriceTickerV2Response1", set()),
    ("GET", "/fapi/v1/ticker/bookTicker", OPEN, SYMBOL, "SymbolOrderBookTickerResponse1", set()),
    ("GET", "/fapi/v1/ticker/bookTicker", OPEN, {}, "SymbolOrderBookTickerResponse2", set()),
    ("GET", "/fapi/v1/openInterest", OPEN, SYMBOL, "OpenInterestResponse", set()),
    ("GET", "/fapi/v1/constituents", OPEN, SYMBOL, "QueryIndexPriceConstituentsResponse", set()),
    ("GET", "/fapi/v1/assetIndex", OPEN, {"symbol": "USDTUSD"}, "AssetIndexResponse1", set()),
    ("GET", "/fapi/v1/assetIndex", OPEN, {}, "AssetIndexResponse2", set()),
    ("GET", "/fapi/v1/insuranceBalance", OPEN, {}, "QueryInsuranceFundBalanceSnapshotResponse2",
     set()),
    ("GET", "/fapi/v1/symbolAdlRisk", OPEN, SYMBOL, "AdlRiskResponse1", set()),
    ("GET", "/fapi/v1/symbolAdlRisk", OPEN, {}, "AdlRiskResponse2", set()),
    ("GET", "/futures/data/openInterestHist", OPEN, STATISTIC, "OpenInterestStatisticsResponse",
     set()),
    ("GET", "/futures/data/topLongShortPositionRatio", OPEN, STATISTIC,
     "TopTraderLongShortRatioPositionsResponse", set()),
    ("GET", "/futures/data/topLongShortAccountRatio", OPEN, STATISTIC,
     "TopTraderLongShortRatioAccountsResponse", set()),
    ("GET", "/futures/data/globalLongShortAccountRatio", OPEN, STATISTIC, "LongShortRatioResponse",
     set()),
    ("GET", "/futures/data/takerlongshortRatio", OPEN, STATISTIC, "TakerBuySellVolumeResponse",
     set()),
    ("GET", "/futures/data/basis", OPEN, {**PAIR, "period": "5m"}, "BasisResponse", set()),
    ("GET", "/fapi/v2/account", SIGNED, {}, "AccountInformationV2Response", set()),
    ("GET", "/fapi/v3/account", SIGNED, {}, "AccountInformationV3Response", set()),
    ("GET", "/fapi/v2/balance", SIGNED, {}, "FuturesAccountBalanceV2Response", set()),
    ("GET", "/fapi/v3/balance", SIGNED, {}, "FuturesAccountBalanceV3Response", set()),
    ("GET", "/fapi/v2/positionRisk", SIGNED, {}, "PositionInformationV2Response", set()),
    ("GET", "/fapi/v3/positionRisk", SIGNED, {}, "PositionInformationV3Response", set()),
    ("GET", "/fapi/v1/accountConfig", SIGNED, {}, "FuturesAccountConfigurationResponse", set()),
    ("GET", "/fapi/v1/symbolConfig", SIGNED, {}, "SymbolConfigurationResponse", set()),
    ("GET", "/fapi/v1/commissionRate", SIGNED, SYMBOL, "UserCommissionRateResponse", set()),
    ("GET", "/fapi/v1/leverageBracket", SIGNED, {}, "NotionalAndLeverageBracketsResponse1", set()),
    ("GET", "/fapi/v1/leverageBracket", SIGNED, SYMBOL, "NotionalAndLeverageBracketsResponse2",
     set()),
    ("GET", "/fapi/v1/adlQuantile", SIGNED, {}, "PositionAdlQuantileEstimationResponse", set()),
    ("GET", "/fapi/v1/rateLimit/order", SIGNED, {}, "QueryUserRateLimitResponse", set()),
    ("GET", "/fapi/v1/income", SIGNED, {}, "GetIncomeHistoryResponse", set()),
    ("GET", "/fapi/v1/positionMargin/history", SIGNED, {"symbol": ETH},
     "GetPositionMarginChangeHistoryResponse", set()),
    ("GET", "/fapi/v1/feeBurn", SIGNED, {}, "GetBnbBurnStatusResponse", set()),
    ("GET", "/fapi/v1/multiAssetsMargin", SIGNED, {}, "GetCurrentMultiAssetsModeResponse", set()),
    ("GET", "/fapi/v1/positionSide/dual", SIGNED, {}, "GetCurrentPositionModeResponse", set()),
    ("GET", "/fapi/v1/apiTradingStatus", SIGNED, {},
     "FuturesTradingQuantitativeRulesIndicatorsResponse", set()),
    ("GET", "/fapi/v1/userTrades", SIGNED, SYMBOL, "AccountTradeListResponse", set()),
    ("GET", "/fapi/v1/forceOrders", SIGNED, {}, "UsersForceOrdersResponse", set()),
    ("GET", "/fapi/v1/openOrders", SIGNED, {}, "CurrentAllOpenOrdersResponse", OLD_TRAILING),
    ("GET", "/fapi/v1/openOrder", SIGNED, {**SYMBOL, "origClientOrderId": "rest"},
     "QueryCurrentOpenOrderResponse", OLD_TRAILING),
    ("GET", "/fapi/v1/order", SIGNED, {**SYMBOL, "origClientOrderId": "rest"},
     "QueryOrderResponse", OLD_TRAILING),
    ("GET", "/fapi/v1/allOrders", SIGNED, SYMBOL, "AllOrdersResponse", OLD_TRAILING),
    ("GET", "/fapi/v1/orderAmendment", SIGNED, SYMBOL, "GetOrderModifyHistoryResponse", set()),
    ("GET", "/fapi/v1/openAlgoOrders", SIGNED, {}, "CurrentAllAlgoOpenOrdersResponse", set()),
    ("GET", "/fapi/v1/allAlgoOrders", SIGNED, SYMBOL, "QueryAllAlgoOrdersResponse", set()),
    ("GET", "/fapi/v1/algoOrder", SIGNED, {"clientAlgoId": "stop"}, "QueryAlgoOrderResponse",
     set()),
    ("POST", "/fapi/v1/order/test", SIGNED, LIMIT, "TestOrderResponse", OLD_TRAILING),
    ("POST", "/fapi/v1/order", SIGNED, {**LIMIT, "newClientOrderId": "p1"}, "NewOrderResponse",
     set()),
    ("PUT", "/fapi/v1/order", SIGNED,
     {**LIMIT, "origClientOrderId": "p1", "price": "48900", "modifyId": 3}, "ModifyOrderResponse",
     set()),
    ("DELETE", "/fapi/v1/order", SIGNED, {**SYMBOL, "origClientOrderId": "p1"},
     "CancelOrderResponse", OLD_TRAILING),
    ("POST", "/fapi/v1/batchOrders", SIGNED,
     {"batchOrders": json.dumps([{**LIMIT, "newClientOrderId": "p2"}])},
     "PlaceMultipleOrdersResponse", OF_A_PART_REFUSED),
    ("PUT", "/fapi/v1/batchOrders", SIGNED,
     {"batchOrders": json.dumps([{**LIMIT, "origClientOrderId": "p2", "price": "48800"}])},
     "ModifyMultipleOrdersResponse", OF_A_PART_REFUSED | ASKED_ALONE),
    ("DELETE", "/fapi/v1/batchOrders", SIGNED,
     {**SYMBOL, "origClientOrderIdList": json.dumps(["p2"])}, "CancelMultipleOrdersResponse",
     OF_A_PART_REFUSED | OLD_TRAILING),
    ("POST", "/fapi/v1/algoOrder", SIGNED, {**STOP, "clientAlgoId": "p3"}, "NewAlgoOrderResponse",
     set()),
    ("DELETE", "/fapi/v1/algoOrder", SIGNED, {"clientAlgoId": "p3"}, "CancelAlgoOrderResponse",
     set()),
    ("DELETE", "/fapi/v1/algoOpenOrders", SIGNED, SYMBOL, "CancelAllAlgoOpenOrdersResponse",
     set()),
    ("DELETE", "/fapi/v1/allOpenOrders", SIGNED, SYMBOL, "CancelAllOpenOrdersResponse", set()),
    ("POST", "/fapi/v1/countdownCancelAll", SIGNED, {**SYMBOL, "countdownTime": 0},
     "AutoCancelAllOpenOrdersResponse", set()),
    ("POST", "/fapi/v1/leverage", SIGNED, {**SYMBOL, "leverage": 10},
     "ChangeInitialLeverageResponse", set()),
    ("POST", "/fapi/v1/positionMargin", SIGNED, {"symbol": ETH, "amount": "1", "type": 1},
     "ModifyIsolatedPositionMarginResponse", set()),
    ("POST", "/fapi/v1/listenKey", SIGNED, {}, "StartUserDataStreamResponse", set()),
    ("PUT", "/fapi/v1/listenKey", SIGNED, {}, "KeepaliveUserDataStreamResponse", set()),
]  # fmt: skip


MODEL_WRONG = {
    # field: why the recording, or PROTOCOL, is believed and not the model
    "icebergQuantity": "null where there is none",
}
BESIDE = {
    # fields that the exchange sends though the model does not have them
    "ExchangeInformationResponse": {"futuresType"},
    "ExchangeInformationResponseSymbolsInner": {"maxMoveOrderLimit"},
    "AccountInformationV2ResponsePositionsInner": {"breakEvenPrice", "notional",
                                                   "isolatedWallet"},
    "QueryUserRateLimitResponseInner": {"count"},  # so much of the limit is used
    "GetPositionMarginChangeHistoryResponseInner": {"clientTranId"},
    # One shape for one and for many: each of the two models lacks what the other has.
    "CurrentAllAlgoOpenOrdersResponseInner": {"activatePrice", "callbackRate", "actualType",
                                              "actualQty"},
    "QueryAllAlgoOrdersResponseInner": {"activatePrice", "callbackRate", "actualType",
                                        "actualQty"},
    "QueryAlgoOrderResponse": {"activatePrice", "callbackRate", "tpTriggerPrice", "tpPrice",
                               "slTriggerPrice", "slPrice"},
}  # fmt: skip
PARTS = {
    # models that list what several kinds of row have
    "ExchangeInformationResponseSymbolsInnerFiltersInner",
    "PositionAdlQuantileEstimationResponseInnerAdlQuantile",
}


def price_of(desk, prices=((BTC, 50_000.0), (ETH, 3000.0))):
    for symbol, price in prices:
        desk.quote(price - 1, price + 1, symbol=symbol)
        desk.trade(price, symbol=symbol)
        desk.venue.on_market(MarkPrice(symbol=symbol, ts=desk.clock(), mark_price=price))


async def busy(desk):
    """Let an account have one of everything that is asked for."""
    price_of(desk)
    done = [
        await desk.call("POST", "/fapi/v1/marginType", symbol=ETH, marginType="ISOLATED"),
        await desk.order("BUY", "0.1", symbol=ETH),
        await desk.call("POST", "/fapi/v1/positionMargin", symbol=ETH, amount="5", type=1),
        await desk.order("BUY", "0.02"),
    ]
    desk.venue.force_adl(AccountId("test"), BTC, PositionSide.BOTH, Decimal("0.01"))
    done += [
        await desk.order("BUY", "0.01", price="49000", newClientOrderId="rest"),
        await desk.call("PUT", "/fapi/v1/order", **{**LIMIT, "origClientOrderId": "rest",
                                                    "price": "48000", "modifyId": 7}),
        await desk.stop(trigger="45000", clientAlgoId="stop"),
    ]  # fmt: skip
    assert {each.status for each in done} == {200}
    desk.venue.on_market(Funding(symbol=BTC, ts=desk.clock(), rate=0.0001))
    desk.clock.pass_s(600)
    desk.venue.tick()
    price_of(desk)


def rows_of(body):
    return body if isinstance(body, list) else [body]


def inner(kind):
    """Return the name of the model that a type consists of; None where it is none."""
    found = re.findall(r"[A-Z][A-Za-z0-9]*Response[A-Za-z0-9]+", kind)
    return found[-1] if found else None


def differences(value, model, models, may_lack=frozenset(), path=""):
    """Tell what an answer lacks, has beside, or has of another type than a model."""
    if f"{model}Inner" in models:
        model = f"{model}Inner"
    known = {name: kind for name, kind in models[model].items() if name not in NOT_FIELDS}
    for row in rows_of(value):
        for name in row.keys() - known.keys() - BESIDE.get(model, set()):
            yield f"{path}{name} is not in {model}"
        for name, kind in known.items():
            below = inner(kind)
            if name not in row:
                if name not in may_lack and model not in PARTS:
                    yield f"{path}{name} is not there"
            elif below in models:
                if row[name]:
                    yield from differences(row[name], below, models, path=f"{path}{name}.")
            elif kind in KINDS and type(row[name]) is not KINDS[kind] and name not in MODEL_WRONG:
                yield f"{path}{name} is {row[name]!r}, not {kind}"


async def test_every_answer_has_the_fields_and_types_of_the_official_models():
    models = sdk_fields()["rest_api"]
    found = {}
    async with rest_desk(clock=Clock()) as desk:
        await busy(desk)
        for verb, path, is_signed, params, model, may_lack in ROWS:
            ask = desk.call(verb, path, **params) if is_signed else desk.public(path, **params)
            answer = await ask
            assert (answer.status, answer.body != []) == (200, True), (verb, path, answer.body)
            wrong = sorted(set(differences(answer.body, model, models, may_lack)))
            if wrong:
                found[f"{verb} {path}"] = wrong

    assert found == {}


NOT_HERE = {
    # what the official client can ask for, and no program that trades perpetuals needs
    "AcceptTheOfferedQuoteResponse", "ListAllConvertPairsResponse", "OrderStatusResponse",
    "SendQuoteRequestResponse",  # conversions of assets
    "ClassicPortfolioMarginAccountInformationResponse",
    "FuturesTradfiPerpsContractResponse",  # an agreement to be signed
    "GetDownloadIdForFuturesOrderHistoryResponse", "GetDownloadIdForFuturesTradeHistoryResponse",
    "GetDownloadIdForFuturesTransactionHistoryResponse", "GetFuturesTradeDownloadLinkByIdResponse",
    "GetFuturesOrderHistoryDownloadLinkByIdResponse",
    "GetFuturesTransactionHistoryDownloadLinkByIdResponse",
}  # fmt: skip
ELSEWHERE = {
    # refusals, or empty lists, whose shapes other tests hold
    "ChangeMarginTypeResponse", "ChangeMultiAssetsModeResponse", "ChangePositionModeResponse",
    "ToggleBnbBurnOnFuturesTradeResponse", "CompositeIndexSymbolInformationResponse",
    "GetFundingRateInfoResponse", "QuarterlyContractSettlementPriceResponse",
    "TradingScheduleResponse",
}  # fmt: skip


def test_whatever_the_official_client_can_ask_for_is_asked_for_here():
    whole = re.compile(r"[A-Za-z0-9]+?Response\d?$")
    answers = {name for name in sdk_fields()["rest_api"] if whole.fullmatch(name)}
    asked = {model for *_, model, _ in ROWS}

    found = asked | NOT_HERE | ELSEWHERE
    assert {
        name for name in answers if name.rstrip("12") not in {f.rstrip("12") for f in found}
    } == set()


RECORDED = FIELDS.parent / "recorded" / "rest_v3_positionRisk_account_2024-07-28.json"


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not here")
async def test_fields_of_the_account_stand_in_the_order_recorded():
    recorded = json.loads(RECORDED.read_text())
    async with rest_desk(clock=Clock()) as desk:
        await busy(desk)
        risk = (await desk.call("GET", "/fapi/v3/positionRisk")).body
        account = (await desk.call("GET", "/fapi/v3/account")).body

    theirs = recorded["GET /fapi/v3/account (cut)"]
    assert list(risk[0]) == list(recorded["GET /fapi/v3/positionRisk"][0])
    assert list(account) == list(theirs)
    for name in ("assets", "positions"):
        assert list(account[name][0]) == list(theirs[name][0])
        assert {k: type(v) for k, v in account[name][0].items()} == {
            k: type(v) for k, v in theirs[name][0].items()
        }


MESSAGES = FIELDS.parent / "error_messages.json"
OTHER_WORDS = {
    -1000: "the text that comes with 503",
    -2011: "the text of a cancel; listed within a longer one",
    -4015: "measured",
    -4509: "not listed",
    -5000: "not listed",
    -5021: "goes on where the list stops",
    -5022: "goes on where the list stops",
}


@pytest.mark.skipif(not MESSAGES.exists(), reason="the list of error texts is not here")
def test_every_refusal_has_the_words_of_the_official_list():
    listed = json.loads(MESSAGES.read_text())
    for code, text in TEXTS.items():
        if code not in OTHER_WORDS:
            assert text.replace("{least}", "%s") in listed[str(code)]["msgs"], code
