"""Score mean: a class's score is the mean of the cosines with its sentences.

`s_c(x) = mean_{t in c} cos(x, f_t)`. For a unit-norm `x` this is the dot product with the plain
mean of the unit-norm text features, whose norm is below 1, and the smaller the less a class's
sentences agree. One vector per class is therefore enough, provided nothing normalises it again;
`mean` differs by that norm. With descriptions ("wren, a bird: tail short and cocked") this is
classification by description.

Source: Menon and Vondrick 2023, arXiv:2210.07183, equation 1.
"""

from clipfg.prompting.ensembling import EnsemblePart

PART = EnsemblePart(renormalise=False)
