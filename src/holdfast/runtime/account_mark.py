"""Keep a folder's journal to one account: facts of two can't be folded into one state."""

from __future__ import annotations

from pathlib import Path

from ..feeds import FeedSettings
from ..model.errors import ConfigError
from ..ports import Venue

FILE = "account"
TEXT_MAX = 200


def account_text(venue: Venue, market: FeedSettings) -> str:
    """Say which account a session trades: the venue, and which of its two markets."""
    if venue.capabilities.is_simulated:
        return venue.name
    if market.rest_url is not None:
        return f"{venue.name} at an address of its own"
    return f"{venue.name} {'testnet' if market.testnet else 'mainnet'}"


def claim_folder(folder: Path, account: str, *, has_records: bool) -> None:
    """Mark a data folder as an account's; the first that left records there has it.

    Raises:
        ConfigError: it is another's, or can't be written to.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = path.read_text()[:TEXT_MAX].strip() if path.exists() else ""
        if not known or not has_records:
            path.write_text(account + "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} can't be used: {error}; name another --data-dir") from error
    if has_records and known and known != account:
        raise ConfigError(
            f"the folder {folder} holds the records of {known}; {account} needs one of its own: "
            "name another with --data-dir"
        )
