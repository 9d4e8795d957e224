"""Generators: the papers' sizes, pictures of any side that their levels can make, and nothing that is a head."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.models.folders import save_source
from robust_tickets.models.latent import Latent
from robust_tickets.models.layers import prunable_weights
from robust_tickets.models.networks.deep_decoder import DeepDecoder
from robust_tickets.models.networks.unet_prior import UnetPrior
from robust_tickets.models.prunable import Prunable
from robust_tickets.models.registry import available

SMALL = ("prior/unet2-x0.25", "prior/decoder2-x0.25")


def generator(name: str, side: int | tuple[int, int] = 20, seed: int = 0) -> rt.Source:
    size = (side, side) if isinstance(side, int) else side
    return rt.load_source(name, weights="random", preprocessing={"size": size}, seed=seed)


def latent(source: rt.Source) -> Latent:
    interface = source.network.interface
    assert isinstance(interface, Latent)
    return interface


def picture(source: rt.Source, size: tuple[int, int]) -> Tensor:
    """Return what the network makes of the noise for one picture of (height, width)."""
    with torch.no_grad():
        return source.network.eval()(latent(source).noise.drawn(size)[None])


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_unet_of_six_levels_has_the_papers_parameters() -> None:
    """Ghosh et al., 2024: three million; layer by layer, with norms and biases."""
    widths = (16, 32, 64, 128, 128, 128)
    expected = 3 * widths[0] + 3
    for level, width in enumerate(widths):
        before = widths[level - 1] if level else 32
        returned = widths[min(level + 1, 5)]
        convolutions = ((before, width, 5), (width, width, 5), (returned, width, 3))
        expected += sum(side * side * one * other + other for one, other, side in convolutions)
        expected += 2 * (3 * width + returned)
    assert count(UnetPrior(widths, 3)) == expected == 3_008_867


def test_the_decoder_of_five_doublings_has_the_papers_parameters() -> None:
    """Heckel and Hand, 2019: six layers of 128 x 128 with their norms, and the mixture that makes colours of them."""
    assert count(DeepDecoder(5, 128, 3)) == 6 * (128 * 128 + 2 * 128) + 3 * 128 == 100_224


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_the_unet_makes_pictures_of_any_side_down_to_its_least(levels: int) -> None:
    """Three places are the fewest around which two are reflected, and each level halves once."""
    least = 2 ** (levels + 1) + 1
    source = generator(f"prior/unet{levels}-x0.25", least)
    assert latent(source).least == least
    for size in ((least, least), (least, least + 1), (least + 1, least), (least + 6, least + 9), (32, 21)):
        assert picture(source, size).shape == (1, 3, *size)
        assert latent(source).noise.shape(size) == (32, *size)
        assert latent(source).noise.complaint(size) is None


@pytest.mark.parametrize("size", [(8, 9), (9, 8)])
def test_a_side_of_one_pixel_less_is_refused_and_cannot_be_made(size: tuple[int, int]) -> None:
    with pytest.raises(rt.UserError, match=r"prior/unet2-x0\.25: a picture is \d x \d pixels, but .* need 9 to a side"):
        generator("prior/unet2-x0.25", size)
    with pytest.raises(RuntimeError, match=r"[Pp]adding"):
        UnetPrior((4, 8), 3)(torch.zeros(1, 32, *size))


@pytest.mark.parametrize("doublings", [1, 3])
def test_the_decoder_doubles_the_noise_as_often_as_it_says(doublings: int) -> None:
    times = 2**doublings
    source = generator(f"prior/decoder{doublings}-x0.125", 4 * times)
    for height, width in ((2, 2), (3, 5)):
        size = (height * times, width * times)
        assert latent(source).noise.shape(size) == (16, height, width)
        assert picture(source, size).shape == (1, 3, *size)


@pytest.mark.parametrize(("size", "right"), [((30, 16), (24, 16)), ((16, 23), (16, 16))])
def test_the_decoder_refuses_sides_that_are_no_multiples_and_says_which_are(
    size: tuple[int, int], right: tuple[int, int]
) -> None:
    with pytest.raises(rt.UserError, match=r"multiples of 8; set data\.size: ") as caught:
        generator("prior/decoder3-x0.125", size)
    assert str(caught.value).endswith(str(list(right)))
    assert "\n" not in str(caught.value)
    assert picture(generator("prior/decoder3-x0.125", right), right).shape[2:] == right


@pytest.mark.parametrize("name", SMALL)
def test_pictures_lie_between_black_and_white(name: str) -> None:
    source = generator(name)
    with torch.no_grad():
        source.network.body.get_parameter("output.weight").mul_(1000)
    made = picture(source, (20, 20))
    assert made.min() < 0.01
    assert made.max() > 0.99
    assert bool(((made >= 0) & (made <= 1)).all())


@pytest.mark.parametrize("name", SMALL)
def test_a_picture_is_the_same_alone_in_a_batch_in_training_and_after(name: str) -> None:
    network = generator(name).network
    inputs = torch.rand(3, *latent(generator(name)).noise.shape((20, 20)), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = network.eval()(inputs)
        for index in range(3):
            torch.testing.assert_close(network(inputs[index, None])[0], together[index], atol=1e-6, rtol=1e-5)
        assert torch.equal(network.train()(inputs), together)
    assert not torch.equal(together[0], together[1])
    assert not dict(network.body.named_buffers()), "statistics of a picture are its own"


def test_noise_is_uniform_and_the_same_at_every_call() -> None:
    noise = latent(generator("prior/unet2-x0.25")).noise
    drawn = noise.drawn((64, 64))
    assert torch.equal(drawn, noise.drawn((64, 64)))
    assert drawn.min() >= 0
    assert drawn.max() <= 0.1
    # 131,072 values: the mean's standard deviation is 0.1 / sqrt(12 * 131072).
    assert drawn.mean().item() == pytest.approx(0.05, abs=5 * 0.1 / (12 * drawn.numel()) ** 0.5)
    other = generator("prior/unet2-x0.25").network.interface.changed({"seed": 1})
    assert isinstance(other, Latent)
    assert not torch.equal(other.noise.drawn((64, 64)), drawn)


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_generator_is_the_same_network_again(name: str, tmp_path: Path) -> None:
    source = generator(name, seed=3)
    with torch.no_grad():
        for parameter in source.network.body.parameters():
            parameter.add_(0.1)
    save_source(source.network, source.identity, tmp_path / "kept")
    again = rt.load_source(tmp_path / "kept")
    state = source.network.plain_state()
    assert again.network.plain_state().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in again.network.plain_state().items())
    assert again.network.interface == source.network.interface
    assert torch.equal(picture(again, (20, 20)), picture(source, (20, 20)))


def test_random_weights_follow_their_seed() -> None:
    def digest(seed: int) -> str:
        return generator("prior/unet2-x0.25", seed=seed).identity.digest

    assert digest(1) == digest(1) != digest(2)


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_can_be_in_a_ticket(name: str) -> None:
    network = generator(name).network
    names = [name for name, _ in network.body.named_parameters()]
    assert prunable_weights(network, Prunable(include_all=True)) == tuple(names)
    assert network.fresh == ()
    assert prunable_weights(network, Prunable(include_all=True, exempt=("output.*",))) == tuple(
        name for name in names if not name.startswith("output.")
    )
    convolutions = prunable_weights(network, Prunable(include_stem=True))
    assert {network.body.get_parameter(name).dim() for name in convolutions} == {4}
    assert "output.weight" in convolutions, "its last layer is its own, and no head"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": "default"}, "starts from random weights and learns one picture; give weights: random"),
        ({"weights": "random", "num_classes": 2}, "makes pictures of 3 channels; leave it out"),
        ({"weights": "random", "in_channels": 3}, "reads 32 channels, not 3; leave it out"),
        ({"weights": "random", "preprocessing": {"mean": (0.5,)}}, "takes fixed noise, which have none; leave it out"),
    ],
)
def test_what_generators_do_not_have_is_refused_in_one_line(changes: dict[str, object], said: str) -> None:
    with pytest.raises(rt.UserError, match=said) as caught:
        rt.load_source("prior/unet2-x0.25", **changes)  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(caught.value)


def test_levels_that_do_not_exist_are_unknown_networks() -> None:
    for name in ("prior/unet7", "prior/decoder0", "prior/unet2-x", "prior/unet2-xa"):
        with pytest.raises(rt.UserError, match=f"unknown network '{name}'"):
            generator(name)


@pytest.mark.parametrize("name", ["prior/unet2", "prior/decoder2"])
def test_a_width_that_does_not_exist_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(rt.UserError, match=rf"^{name}-x1\.2\.3: '1\.2\.3' is not a width factor; write -x2 or"):
        generator(f"{name}-x1.2.3")
    with pytest.raises(rt.UserError, match=rf"^{name}-x0\.001: width factor 0\.001 leaves no channels"):
        generator(f"{name}-x0.001")


def test_the_usual_members_are_listed() -> None:
    assert {"prior/unet6", "prior/decoder5"} <= set(available("prior/"))
