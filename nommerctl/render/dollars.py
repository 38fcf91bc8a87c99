"""Amounts of US dollars for people."""


def amount(usd: float) -> str:
    """Return an amount to the cent; one below a dollar to a hundredth of a cent, as nodes cost that by the minute."""
    return f"{usd:.2f}" if usd >= 1 else f"{usd:.4f}"


def dollars(usd: float) -> str:
    """Return it with its sign: `$0.0357`."""
    return f"${amount(usd)}"
