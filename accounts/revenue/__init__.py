"""Recurring revenue computed from contract lines: pure, frames in and frames out, no Django and no clock.

Read in this order: ``frames`` (what the columns mean), ``service`` (from when to when a line pays),
``changes`` (what changed on which day, and why), ``months`` (balances and movements),
``cohort`` (NRR, GRR and their kin), ``rates`` (other currencies).
"""
