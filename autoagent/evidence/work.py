"""How much may be looked at for a quote or figure: counted, not timed, so that all machines find the same."""


class Work:
    """`left` is what may still be looked at, in characters; so much of it as is left `within` what is shared."""

    def __init__(self, left: int, within: "Work | None" = None):
        self.left, self._within = left, within

    @property
    def is_spent(self) -> bool:
        return self.left <= 0 or (self._within is not None and self._within.is_spent)

    def spend(self, amount: int) -> bool:
        """False where nothing is left."""
        if self.is_spent:
            return False
        self.left -= amount
        if self._within is not None:
            self._within.spend(amount)
        return True
