"""Score mean: a class scores the mean of the cosines with its sentences.

`s_c(x) = mean_{t in c} cos(x, f_t)`. For a unit-norm `x` that is the dot product with the plain
mean of the unit-norm text features, left at its own length: below 1, and the shorter the less a
class's sentences agree. So one vector per class is still enough, as long as nobody normalises it
again; `mean` differs by dividing by that length. With descriptions ("wren, a bird: tail short and
cocked") this is classification by description.

Source: Menon and Vondrick 2023, arXiv:2210.07183, equation 1.
"""

from clipfg.prompting.ensembling import EnsemblePart

PART = EnsemblePart(renormalise=False)
