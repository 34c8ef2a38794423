import torch

from clipfg.training.losses.cm_cgns import reconstruct
from clipfg.training.nets.masked_decoder import MaskedDecoder, draw_dropped


def test_half_of_the_patches_of_every_image_are_dropped() -> None:
    dropped = draw_dropped(6, 10, torch.Generator().manual_seed(0))
    assert dropped.sum(dim=1).tolist() == [5] * 6
    assert len({tuple(row) for row in dropped.tolist()}) > 1
    assert torch.equal(dropped, draw_dropped(6, 10, torch.Generator().manual_seed(0)))


def test_dropped_patches_are_not_seen() -> None:
    torch.manual_seed(0)
    net, read = MaskedDecoder(8, 3, patches=4, heads=2), torch.randn(2, 4, 8)
    dropped = draw_dropped(2, 4, torch.Generator().manual_seed(0))
    x = torch.randn(2, 4, 8)
    other = torch.where(dropped[..., None], torch.randn(2, 4, 8), x)
    assert torch.equal(net(x, read, dropped), net(other, read, dropped))
    assert not torch.equal(net(x, read, dropped), net(x, read.flip(0), dropped))


def test_it_learns_what_the_text_says_of_dropped_patches() -> None:
    """Values that stand in `read` alone: learnt with it, not with another image's."""
    torch.manual_seed(0)
    net = MaskedDecoder(16, 4, patches=6, heads=2)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)

    def loss(shuffled: bool) -> torch.Tensor:
        patches, read = torch.randn(2, 16, 6, 16)
        dropped = draw_dropped(16, 6, generator)
        return reconstruct(
            net(patches, read.roll(int(shuffled), 0), dropped), read[..., :4], dropped
        )

    for _ in range(80):
        optimizer.zero_grad()
        loss(shuffled=False).backward()
        optimizer.step()
    assert loss(shuffled=False) < 0.6 * loss(shuffled=True)
