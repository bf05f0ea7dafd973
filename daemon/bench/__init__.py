"""Measuring a whole daemon from outside, as users meet it: what bench and tests share."""
