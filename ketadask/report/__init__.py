"""The report floor: what a study found, as one self-contained page.

Figures are drawn by matplotlib, which is loaded when a report is written and not before.
"""
