"""Charts as SVG: pure functions from plain figures to text, with nothing to run in the reader's browser.

Each chart is drawn twice, for wide and narrow pages, and the style sheet shows one: text keeps its size on a phone. An
SVG carries its own light colours as attributes, so that it can be saved alone; the style sheet of the portal overrides
them by class. No chart speaks by colour alone, and a masked cell is drawn as masked.
"""
