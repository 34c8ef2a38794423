"""Variational supervised contrastive loss: rows against the centroids of their classes."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, normalize, one_hot

from clipfg.errors import DataError
from clipfg.functional.cosines import cosines, widened


def varcon(
    z: Float[Tensor, "b d"],
    labels: Int[Tensor, " b"],
    temperature: float = 0.1,
    epsilon: float = 0.02,
) -> Float[Tensor, ""]:
    """`varcon_to` the centroids of the batch's own classes, which get no gradient.

    Two views of an image are two rows. 0 for a batch of one class. Its cost grows with rows x
    classes, SupCon's with rows squared.

    Source: Wang et al. 2025, Variational Supervised Contrastive Learning, arXiv:2506.07413,
    equations 7 to 13.
    """
    classes, members = labels.unique(return_inverse=True)
    rows = normalize(widened(z.detach()), dim=1)
    sums = rows.new_zeros(len(classes), z.shape[1]).index_add_(0, members, rows)
    return varcon_to(sums, z, members, temperature, epsilon)  # a sum points where its mean does


def varcon_to(
    centroids: Float[Tensor, "c d"],
    z: Float[Tensor, "b d"],
    members: Int[Tensor, " b"],
    temperature: float = 0.1,
    epsilon: float = 0.02,
) -> Float[Tensor, ""]:
    """Mean over rows of KL(q || p) - log p_true; row i belongs to centroid `members[i]`.

    p = softmax(cosine / temperature) over the centroids; log q = `log_targets` of p_true. Raises
    `DataError` unless 0 <= `epsilon` < `temperature`.
    """
    if not 0 <= epsilon < temperature:
        raise DataError(
            f"Expected an epsilon from 0 to under the temperature of {temperature:g}, got"
            f" {epsilon:g}."
        )
    logits = cosines(z, centroids) / temperature
    log_p = logits.log_softmax(dim=1)
    p_true = log_p.gather(1, members[:, None].long())[:, 0].exp()
    log_q = log_targets(p_true, members, len(centroids), temperature, epsilon)
    divergence = kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    return divergence + cross_entropy(logits, members.long())


def log_targets(
    p_true: Float[Tensor, " b"],
    members: Int[Tensor, " b"],
    classes: int,
    temperature: float,
    epsilon: float,
) -> Float[Tensor, "b c"]:
    """Logarithm of q = softmax(onehot / tau2), tau2 = temperature - epsilon + 2 epsilon p_true.

    The surer a row is of its class, the softer its target. The paper writes q with e^(1/tau2),
    which overflows half precision; the two are the same.
    """
    tau2 = temperature - epsilon + 2 * epsilon * p_true
    return (one_hot(members.long(), classes) / tau2[:, None]).log_softmax(dim=1)
