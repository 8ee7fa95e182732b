import unittest

from prices import discounted, total, with_tax


class Prices(unittest.TestCase):
    def test_a_discount_is_rounded_to_the_nearest_cent(self):
        self.assertEqual(discounted(999, 10), 899)
        self.assertEqual(discounted(1005, 50), 502)

    def test_tax_is_added(self):
        self.assertEqual(with_tax(1000), 1190)
        self.assertEqual(with_tax(1000, 7), 1070)

    def test_every_price_counts(self):
        self.assertEqual(total([100, 200, 300]), 600)
        self.assertEqual(total([100, 200], 10), 270)


if __name__ == "__main__":
    unittest.main()
