"""The rendered sets that the recipes train and test on; nobody is in two of them."""

from falco_rendered.train.cache import RenderSet

SIZE = 128

PORTRAITS = RenderSet("portraits", people=12_000, views=1, seed=11)
"""Generator and encoder are trained on these; FaRL and the probe on these and the two that follow."""
RECOGNISER_PEOPLE = RenderSet("recogniser", people=1_800, views=6, seed=23)
HELDOUT_PEOPLE = RenderSet("heldout", people=1_500, views=6, seed=37)
TEST_PEOPLE = RenderSet("test", people=200, views=4, seed=53)
"""Nothing is trained on these."""
