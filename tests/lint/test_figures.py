"""scripts/bench refuses figures that cannot be true."""

import unittest

from support import figures

PAUSE, LONGEST = 0.02, 0.1


def lines(*times, port=3000):
    return "".join(f"{when} {port} front end 1\n" for when in times)


class Lines(unittest.TestCase):
    def read(self, text):
        return figures.answers_of(text, began=5000.0, now=5010.0)

    def assert_refused(self, text, why):
        with self.assertRaises(figures.Impossible) as caught:
            self.read(text)
        self.assertIn(why, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_good_lines_are_read(self):
        self.assertEqual(self.read(lines(5001.5) + lines(5001.25, port=8000)),
                         [(5001.5, 3000, "front end 1"),
                          (5001.25, 8000, "front end 1")])

    def test_a_line_without_an_end_is_left_out(self):
        self.assertEqual(self.read("500"), [])
        self.assertEqual(len(self.read(lines(5001.5) + "5001.6 30")), 1)

    def test_two_halves_that_read_as_one_line_are_refused(self):
        # A 5 and then the line of 5001.5: an outage of 50,000 s.
        self.assert_refused(lines(5001.4) + "5" + lines(5001.5, 5001.6),
                            "outside of the observation")
        self.assert_refused("5001." + lines(5001.5), "malformed line")
        self.assert_refused("12\n", "malformed line")
        self.assert_refused("\n" + lines(5001.5), "malformed line")

    def test_a_line_from_outside_of_the_observation_is_refused(self):
        self.assert_refused(lines(4999.9), "outside of the observation")
        self.assert_refused(lines(5010.1), "outside of the observation")

    def test_a_line_out_of_order_is_refused(self):
        self.assert_refused(lines(5002.0, 5001.9), "out of order")


class Figures(unittest.TestCase):
    def outage(self, *times, end):
        return figures.outage_in(times, end, PAUSE, LONGEST)

    def test_long_gaps_count_without_the_pause(self):
        self.assertAlmostEqual(
            self.outage(1.0, 1.05, 2.05, 2.1, end=2.15), 0.98)
        self.assertAlmostEqual(self.outage(1.0, end=2.0), 0.98)

    def test_an_outage_longer_than_the_observation_is_refused(self):
        with self.assertRaises(figures.Impossible) as caught:
            # An earlier version made this of one torn line.
            self.outage(1.0, 3.0, 1.5, end=4.0)
        self.assertIn("in an observation of 3.00 s", str(caught.exception))

    def test_an_outage_of_which_nothing_was_observed_is_refused(self):
        with self.assertRaises(figures.Impossible):
            self.outage(3.0, end=2.0)

    def test_a_negative_figure_is_refused(self):
        with self.assertRaises(figures.Impossible):
            figures.checked("served", 10, -0.1)
        self.assertEqual(figures.checked("served", 10, 0.1), 0.1)

    def test_figures_of_which_one_cannot_be_are_refused(self):
        good = [1.5, 2, 1400]
        self.assertEqual(figures.possible("wall", good), good)
        refused = {"nothing was measured": [], "wall of -0.1": [1, -0.1],
                   "wall of 0": [1, 0, 1], "wall of nan": [float("nan")],
                   "wall of 2001, with a median of 2": [1, 2, 2001]}
        for why, values in refused.items():
            with self.subTest(why), self.assertRaises(
                    figures.Impossible) as caught:
                figures.possible("wall", values)
            self.assertIn(why, str(caught.exception))


if __name__ == "__main__":
    unittest.main()
