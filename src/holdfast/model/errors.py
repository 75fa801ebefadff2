"""Errors, by who must act on them.

TradingError
    ConfigError              the operator must change a setting
    InputError               the caller or a file gave something that can't be used
        FeedError            a line of market data is torn, out of order or no number
        StrategyError        a strategy can't be loaded
    JournalError             the record of facts can't be read or written: stop and look
        JournalLocked        another process owns the account
        JournalCorrupt       a fact in the middle was altered or lost
        Fenced               another process took the account over: stop at once
    IllegalTransition        a bug here or at the venue: stop and look
    SessionStateError        not possible in the session's present state
    UnknownOrderError        no such order
    RiskDenied               our own risk rules said no
    CircuitOpenError         too many failures of one kind: wait
    VenueError               something went wrong between us and the venue
        VenueUnavailable         nothing was sent: retry later
            NetworkError             no connection
            RateLimitError           asked to slow down; `retry_after` in seconds
        VenueRefused             understood and declined: do not retry
            InsufficientBalanceError     not enough margin
        OutcomeUnknownError      it may or may not have happened: reconcile, never resend
"""

from __future__ import annotations


class TradingError(Exception):
    """Base of every error that Holdfast raises on purpose."""


class ConfigError(TradingError):
    """A setting is missing, malformed or contradicts another."""


class InputError(TradingError):
    """A caller, a flag or a file gave something that can't be used."""


class FeedError(InputError):
    """Market data can't be read; the text names the file and the line."""


class StrategyError(InputError):
    """A strategy can't be found, loaded or started."""


class JournalError(TradingError):
    """Facts can't be read or written."""


class JournalLocked(JournalError):
    """Another process owns the account; the text says which."""


class JournalCorrupt(JournalError):
    """A fact was altered, or one is missing in the middle; the text names the sequence."""


class Fenced(JournalError):
    """A newer epoch owns the account: this process must stop at once."""


class IllegalTransition(TradingError):
    """A report or a request contradicts the state it arrived in."""


class SessionStateError(TradingError):
    """The session's present state has no answer for what was asked."""


class UnknownOrderError(TradingError):
    """No order of that id is known."""


class RiskDenied(TradingError):
    """A risk rule refused; the text names rule, value and limit."""


class CircuitOpenError(TradingError):
    """A circuit breaker is open; the text says since when and until when."""


class VenueError(TradingError):
    """The venue, or the road to it, failed. `code` is the venue's, or None."""

    def __init__(self, message: str = "", *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class VenueUnavailable(VenueError):
    """Nothing was sent. Safe to try again."""


class NetworkError(VenueUnavailable):
    """There is no connection to the venue."""


class RateLimitError(VenueUnavailable):
    """The venue asked us to slow down."""

    def __init__(
        self, message: str = "", *, retry_after: float = 1.0, code: int | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class VenueRefused(VenueError):
    """The venue understood the request and declined it."""


class InsufficientBalanceError(VenueRefused):
    """The account's margin does not cover the order."""


class OutcomeUnknownError(VenueError):
    """The request left but no answer came. Only reconciliation can tell."""
