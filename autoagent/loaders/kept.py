"""What was read is kept while the process lives: the pages of a long document cost one reading."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from sys import getsizeof

from autoagent.loaders.document import Document

KEPT_BYTES = 128 << 20  # of text


class Kept:
    """The documents that were used last; threads may share it, and each document is made once."""

    def __init__(self, limit: int = KEPT_BYTES):
        self.limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Document] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], Document]) -> Document:
        """Raises what `make` raises; the next one tries again."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                found = self._find(key)
                if found is None:
                    found = make()
                    self._keep(key, found)
        finally:
            with self._lock:
                self._making.pop(key, None)
        return found

    def _find(self, key: Hashable) -> Document | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Hashable, found: Document) -> None:
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > 1 and sum(map(_size, self._kept.values())) > self.limit:
                self._kept.popitem(last=False)


def _size(document: Document) -> int:
    return getsizeof(document.text) + 1_000
