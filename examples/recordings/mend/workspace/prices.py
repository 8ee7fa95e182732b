"""Prices with discount and tax, in whole cents."""


def discounted(cents: int, percent: int) -> int:
    """The price less a discount, rounded to the nearest cent."""
    return cents - cents * percent // 100


def with_tax(cents: int, percent: int = 19) -> int:
    """The price with tax, rounded to the nearest cent."""
    return round(cents * (1 + percent))


def total(prices: list[int], percent: int = 0) -> int:
    """The sum of all prices after the discount."""
    return sum(discounted(price, percent) for price in prices[1:])
