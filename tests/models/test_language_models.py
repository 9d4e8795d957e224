"""Language models: folders of transformers, models of the Hub and from Python, heads on one encoder, tokenizers."""

import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import robust_tickets as rt
from robust_tickets.foundation.errors import UserError
from robust_tickets.models.adaptations.adapted_body import placed
from robust_tickets.models.adaptations.detection.head import DetectionHead
from robust_tickets.models.adaptations.language.body import LanguageBody
from robust_tickets.models.adaptations.language.head import HeadKind, LanguageHead
from robust_tickets.models.adaptations.language.library import ENCODERS
from robust_tickets.models.adaptations.segmentation_head import SegmentationHead
from robust_tickets.models.families import hub_snapshots
from robust_tickets.models.folders import FACTS, load_folder, save_source
from robust_tickets.models.identity import SourceIdentity
from robust_tickets.models.layers import prunable_weights, weights_left_out
from robust_tickets.models.network import Network
from robust_tickets.models.pixels import Pixels
from robust_tickets.models.prunable import Prunable
from robust_tickets.models.settings import SourceSettings
from robust_tickets.models.sources import Source, load_source
from robust_tickets.models.tokens import Tokens
from robust_tickets.ticket.ticket import Ticket
from tests.language import COUNTED, HEADS, SIZES, core_tokenizer, language_folder, language_model, tokenizer_of

TEXTS = ["the dog runs fast .", "a cat"]
KINDS: tuple[HeadKind, ...] = ("sequence", "token", "span", "masked")


def inputs_of(source: Source) -> dict[str, Tensor]:
    """Return two texts of different lengths as a batch."""
    tokens = tokens_of(source.network)
    encodings = tokens.tokenizer.encode(TEXTS, tokens.length)
    longest = max(len(encoding.ids) for encoding in encodings)
    ids = torch.full((len(TEXTS), longest), tokens.pad)
    mask = torch.zeros_like(ids)
    for row, encoding in enumerate(encodings):
        ids[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        mask[row, : len(encoding.ids)] = 1
    whole = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: whole[name] for name in tokens.inputs}


def tokens_of(network: Network) -> Tokens:
    assert isinstance(network.interface, Tokens)
    return network.interface


def body_of(network: Network) -> LanguageBody:
    assert isinstance(network.body, LanguageBody)
    return network.body


def encoder_state(network: Network) -> dict[str, Tensor]:
    prefix = f"{body_of(network).held.base_model_prefix}."
    return {name: tensor for name, tensor in network.plain_state().items() if name.startswith(prefix)}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return list(left) == list(right) and all(torch.equal(left[name], right[name]) for name in left)


def rehead(network: Network, head: HeadKind, classes: int = 3, seed: int = 0) -> Network:
    twin = copy.deepcopy(network)
    return LanguageHead(head=head).adapted(twin, classes, twin.interface, seed, "the network")


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return language_folder(tmp_path / "bert", "bert", "sequence", num_labels=3)


def changed_json(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize("head", KINDS)
@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_a_folder_of_transformers_gives_its_logits_to_the_last_bit(kind: str, head: HeadKind, tmp_path: Path) -> None:
    labels = {"num_labels": 3} if head in ("sequence", "token") else {}
    folder = language_folder(tmp_path, kind, head, **labels)
    source = load_source(folder)
    assert source.identity.name == f"hf/{kind}"
    assert source.identity.adaptation == LanguageHead(head=head)
    assert source.network.num_classes == {"span": 2, "masked": 32}.get(head, 3)
    assert not source.network.headless
    theirs = getattr(transformers, HEADS[head]).from_pretrained(folder).eval()
    inputs = inputs_of(source)
    expected = theirs(**inputs)
    ours = source.network.eval()(inputs)
    if head == "span":
        assert torch.equal(ours[..., 0], expected.start_logits)
        assert torch.equal(ours[..., 1], expected.end_logits)
    else:
        assert torch.equal(ours, expected.logits)
    own = source.network.body.state_dict()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(own[name], tensor)
    assert all(".pooler." in name for name in own.keys() - theirs.state_dict().keys())


@pytest.mark.parametrize("kind", ENCODERS)
@torch.no_grad()
def test_an_encoder_without_a_head_labels_texts_once_it_has_one(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "none"))
    assert source.network.headless
    assert f"head: the weights came without {source.network.head}; it is random" in source.identity.notes[0]
    theirs = transformers.AutoModel.from_pretrained(tmp_path).eval()
    inputs = inputs_of(source)
    ours = body_of(source.network).eval().encoder(**inputs)
    assert torch.equal(ours.last_hidden_state, theirs(**inputs).last_hidden_state)
    with pytest.raises(UserError, match="came without a head"):
        source.network.require_head("predict")


@pytest.mark.parametrize("kind", ENCODERS)
def test_what_goes_in_is_what_the_folder_says(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "masked"))
    tokens = tokens_of(source.network)
    counted = kind in COUNTED
    assert tokens.length == (38 if counted else 40)
    assert (tokens.vocabulary, tokens.pad, tokens.mask) == (32, int(counted), 4)
    types = kind in ("bert", "electra", "albert")
    assert tokens.inputs == ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))
    # The longest text that is allowed goes through.
    whole = {name: torch.full((1, tokens.length), 7 if name == "input_ids" else 1) for name in tokens.inputs}
    assert source.network.eval()(whole).shape == (1, tokens.length, 32)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    (encoding,) = tokens.tokenizer.encode(["the red dog"], tokens.length)
    assert encoding.ids == theirs("the red dog")["input_ids"]


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_keeps_its_names_and_weights_under_every_head(kind: str, tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, kind, "masked"))
    before = encoder_state(source.network)
    network = source.network
    for head in ("sequence", "token", "span", "masked"):
        network = rehead(network, head)
        assert same(encoder_state(network), before)
        body = body_of(network)
        assert all(torch.isfinite(tensor).all() for tensor in body.state_dict().values())
        shape = {"sequence": (2, 3), "token": (2, 7, 3), "span": (2, 7, 2), "masked": (2, 7, 32)}[head]
        assert network.eval()(inputs_of(source)).shape == shape
        for name in prunable_weights(source.network):
            assert body.place(name) == name
        masks = {name: torch.ones_like(before[name], dtype=torch.bool) for name in prunable_weights(source.network)}
        assert placed(masks, body).keys() == masks.keys()
    # Words that are guessed are words that are looked up: one table again.
    output = body_of(network).held.get_output_embeddings().weight
    assert output is body_of(network).encoder.get_input_embeddings().weight


def test_a_fresh_head_is_drawn_as_transformers_does_it_and_only_from_its_seed(bert: Path) -> None:
    network = load_source(bert).network
    first, again, other = (rehead(network, "sequence", 5, seed) for seed in (0, 0, 1))
    heads = [made.body.get_parameter("classifier.weight") for made in (first, again, other)]
    assert heads[0].shape == (5, 16)
    assert 0.01 < heads[0].std() < 0.03  # initializer_range
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])
    assert not first.body.get_parameter("classifier.bias").any()
    network.reset_head(5, 0)
    assert torch.equal(network.body.get_parameter("classifier.weight"), heads[0])
    assert network.num_classes == 5
    assert network.eval()(network.interface.example(2, "x")).shape == (2, 5)
    network.reset_head(1, 0)  # a number for each text
    assert network.eval()(network.interface.example(2, "x")).shape == (2, 1)


@torch.no_grad()
def test_a_body_and_its_model_are_one(bert: Path) -> None:
    network = load_source(bert).network.eval()
    body, inputs = body_of(network), network.interface.example(2, "x")
    expected = body(inputs)
    twin = copy.deepcopy(body)
    assert torch.equal(twin(inputs), expected)
    assert torch.equal(pickle.loads(pickle.dumps(body))(inputs), expected)
    twin.get_parameter("classifier.weight").zero_()
    assert torch.equal(body(inputs), expected)
    assert torch.equal(twin(inputs), twin.get_parameter("classifier.bias").expand(2, -1))
    zeros = {name: torch.zeros_like(parameter) for name, parameter in body.named_parameters()}
    assert not torch.func.functional_call(body, zeros, (inputs,)).any()
    assert torch.equal(body(inputs), expected)
    # A layer that is replaced in the body is replaced in the model.
    body.get_submodule("bert.encoder.layer.0").intermediate = nn.Identity()
    body.set_submodule("classifier", nn.Linear(16, 7))
    body.set_submodule("bert.encoder.layer.0.intermediate", twin.get_submodule("bert.encoder.layer.0.intermediate"))
    assert body(inputs).shape == (2, 7)
    assert body.held.classifier is body.classifier
    body.train()
    assert body.held.training
    assert not torch.equal(body(inputs), body(inputs))  # dropout
    body.eval()
    assert not body.held.bert.training


def test_gradients_reach_all_but_an_idle_pooler(tmp_path: Path) -> None:
    source = load_source(language_folder(tmp_path, "bert", "masked"))
    assert source.network.idle == {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert any(note.startswith("pooler: the weights came without one") for note in source.identity.notes)
    assert source.untrained == ()
    source.network(source.network.interface.example(2, "x")).sum().backward()
    still = {name for name, parameter in source.network.body.named_parameters() if parameter.grad is None}
    assert still == source.network.idle


def test_attention_and_feed_forward_weights_are_prunable_and_nothing_else(tmp_path: Path) -> None:
    network = load_source(language_folder(tmp_path / "sequence", "bert", "sequence")).network
    parts = (
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    )
    layers = [f"bert.encoder.layer.{layer}.{part}.weight" for layer in (0, 1) for part in parts]
    assert list(prunable_weights(network)) == [*layers, "bert.pooler.dense.weight"]
    assert weights_left_out(network) == {"classifier.weight": "the head"}
    assert prunable_weights(network, Prunable(include_stem=False)) == prunable_weights(network)
    words = "bert.embeddings.word_embeddings.weight"
    assert prunable_weights(network, Prunable(include_embeddings=True)) == (words, *prunable_weights(network))
    masked = load_source(language_folder(tmp_path / "masked", "bert", "masked")).network
    assert list(prunable_weights(masked)) == layers
    assert set(weights_left_out(masked)) == {"bert.pooler.dense.weight", "cls.predictions.transform.dense.weight"}
    images = load_source("cifar/resnet8", weights="random").network
    with pytest.raises(UserError, match="include_embeddings: a network that takes images has no word embeddings"):
        prunable_weights(images, Prunable(include_embeddings=True))
    assert "include_embeddings" not in Prunable().model_dump()
    assert Prunable(include_embeddings=True).model_dump()["include_embeddings"] is True


@pytest.mark.parametrize("kind", ENCODERS)
def test_no_part_of_a_language_head_is_prunable(kind: str, tmp_path: Path) -> None:
    for head in KINDS:
        network = load_source(language_folder(tmp_path / head, kind, head)).network
        prefix = f"{body_of(network).held.base_model_prefix}."
        names = prunable_weights(network)
        assert len(names) >= 6
        assert all(name.startswith(prefix) for name in names)
        assert all(network.body.get_parameter(name).dim() >= 2 for name in names)
        assert not any("embeddings." in name for name in names)


@pytest.mark.parametrize("head", ["sequence", "masked", "span"])
def test_a_saved_language_model_is_read_back_bit_for_bit_without_its_origin(head: HeadKind, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    source = load_source(language_folder(origin, "electra", head))
    written = save_source(source.network, source.identity, tmp_path / "saved")
    for file in origin.iterdir():
        file.unlink()
    network, identity = load_folder(tmp_path / "saved")
    assert identity == written
    assert same(network.plain_state(), source.network.plain_state())
    assert network.interface == source.network.interface
    inputs = inputs_of(source)
    assert torch.equal(network.eval()(inputs), source.network.eval()(inputs))
    again = load_source(tmp_path / "saved")
    assert again.identity.digest == source.identity.digest
    assert again.identity.description[:2] == source.identity.description[:2]
    assert tokens_of(again.network).tokenizer.content == tokens_of(source.network).tokenizer.content


def test_a_network_under_a_new_head_is_read_back(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    network = rehead(source.network, "token", 7).eval()
    save_source(network, source.identity, tmp_path / "saved")
    loaded, identity = load_folder(tmp_path / "saved")
    assert identity.adaptation == LanguageHead(head="token")
    assert loaded.num_classes == 7
    inputs = inputs_of(source)
    with torch.no_grad():
        assert torch.equal(loaded.eval()(inputs), network(inputs))


def test_a_saved_tokenizer_that_was_altered_is_refused(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    save_source(source.network, source.identity, tmp_path / "saved")
    file = tmp_path / "saved" / "tokenizer.json"
    file.write_text(file.read_text().replace("dog", "god"))
    with pytest.raises(UserError, match=r"tokenizer\.json: was altered"):
        load_folder(tmp_path / "saved")
    file.unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json: No such file"):
        load_folder(tmp_path / "saved")


def test_the_tokenizer_travels_with_a_ticket(bert: Path, tmp_path: Path) -> None:
    source = load_source(bert)
    masks = {name: source.network.body.get_parameter(name) > 0 for name in prunable_weights(source.network)}
    recipe = {"source": source.settings.model_dump(mode="json"), "draw": {"sparsity": 0.5}}
    ticket = Ticket(masks, tuple(masks), source.identity, recipe=recipe)
    ticket.save(tmp_path / "ticket")
    loaded = Ticket.load(tmp_path / "ticket")
    assert loaded.digest == ticket.digest
    interface = loaded.source.preprocessing
    assert isinstance(interface, Tokens)
    assert interface.tokenizer.content == (bert / "tokenizer.json").read_bytes()
    ticket.save(tmp_path / "ticket")  # over itself
    network = loaded.subnetwork()
    assert all(not network.body.get_parameter(name)[~mask].any() for name, mask in masks.items())


def test_identities_of_images_are_written_as_before(tmp_path: Path) -> None:
    source = load_source("cifar/resnet8", weights="random")
    save_source(source.network, source.identity, tmp_path)
    content = json.loads((tmp_path / FACTS).read_text())
    assert "configuration" not in content
    assert content["adaptation"] is None
    assert "tokenizer" not in SourceSettings(name="x").model_dump()
    assert "vocabulary_size" not in SourceSettings(name="x").model_dump()
    assert SourceIdentity.model_validate(content) == load_folder(tmp_path)[1]


def test_a_pretraining_model_is_one_of_words_and_the_rest_is_named(tmp_path: Path) -> None:
    configuration = transformers.BertConfig(**SIZES["bert"])
    torch.manual_seed(0)
    model = transformers.BertForPreTraining(configuration).eval()
    model.save_pretrained(tmp_path)
    tokenizer_of().save_pretrained(tmp_path)
    source = load_source(tmp_path)
    assert source.identity.adaptation == LanguageHead(head="masked")
    assert any("left out: cls.seq_relationship" in note for note in source.identity.notes)
    with torch.no_grad():
        inputs = inputs_of(source)
        assert torch.equal(source.network.eval()(inputs), model(**inputs).prediction_logits)
    # Its pooler is pretrained, and is what a model that labels texts begins with.
    pooler = "bert.pooler.dense.weight"
    labelling = rehead(source.network, "sequence")
    assert torch.equal(labelling.body.get_parameter(pooler), model.get_parameter(pooler))
    assert pooler in prunable_weights(load_source(labelling).network)


def test_a_discriminator_is_an_encoder_without_a_head(tmp_path: Path) -> None:
    model = transformers.ElectraForPreTraining(transformers.ElectraConfig(**SIZES["electra"]))
    model.save_pretrained(tmp_path)
    tokenizer_of("electra").save_pretrained(tmp_path)
    source = load_source(tmp_path)
    assert source.network.headless
    assert any("left out: discriminator_predictions" in note for note in source.identity.notes)


@pytest.mark.parametrize("form", ["bin", "shards", "old names"])
def test_weights_in_every_form_that_transformers_wrote(form: str, tmp_path: Path) -> None:
    model = language_model("bert", "sequence")
    source = load_source(language_folder(tmp_path, "bert", "sequence"))
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    file.unlink()
    if form == "bin":
        torch.save(state, tmp_path / "pytorch_model.bin")
    elif form == "shards":
        model.save_pretrained(tmp_path, max_shard_size="8KB")
        assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    else:
        ends = (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta"))
        for new, old in ends:
            state = {name.replace(new, old): tensor for name, tensor in state.items()}
        assert any(name.endswith("gamma") for name in state)
        save_file(state, file)
    again = load_source(tmp_path)
    assert again.identity.digest == source.identity.digest


def test_an_architecture_without_its_head_in_the_file_has_none(tmp_path: Path) -> None:
    """As all-mpnet-base-v2, whose config.json says MPNetForMaskedLM and whose weights are an encoder's."""
    language_folder(tmp_path, "mpnet", "none")
    changed_json(tmp_path / "config.json", architectures=["MPNetForMaskedLM"])
    assert load_source(tmp_path).network.headless
    changed_json(tmp_path / "config.json", architectures=None)
    assert load_source(tmp_path).network.headless
    language_folder(tmp_path, "mpnet", "masked")
    changed_json(tmp_path / "config.json", architectures=None)
    assert load_source(tmp_path).identity.adaptation == LanguageHead(head="masked")


def altered(folder: Path, change: Any) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")


QUERY = "bert.encoder.layer.0.attention.self.query.weight"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop(QUERY), f"1 missing: {QUERY}"),
        (lambda state: state.update(extra=torch.ones(1)), "1 unexpected: extra"),
        (lambda state: state.update({QUERY: torch.ones(3, 3)}), r"query\.weight is \(3, 3\), expected \(16, 16\)"),
        (lambda state: state.update({QUERY: torch.full((16, 16), torch.nan)}), "NaN or infinity"),
        (lambda state: state.pop("classifier.bias"), r"does not fit BertForSequenceClassification: 1 missing"),
        (lambda state: state.pop("bert.pooler.dense.bias"), r"1 missing: bert\.pooler\.dense\.bias"),
        (lambda state: state.update({QUERY: torch.ones(16, 16, dtype=torch.int8)}), "contains int8"),
    ],
)
def test_weights_that_do_not_fit_are_refused(bert: Path, change: Any, words: str) -> None:
    altered(bert, change)
    with pytest.raises(UserError, match=words):
        load_source(bert)


def test_a_tie_that_the_weights_break_is_refused(tmp_path: Path) -> None:
    language_folder(tmp_path, "bert", "masked")
    altered(tmp_path, lambda state: state.update({"cls.predictions.decoder.weight": torch.ones(32, 16)}))
    with pytest.raises(UserError, match=r"differ, although config\.json ties them; set tie_word_embeddings to false"):
        load_source(tmp_path)
    changed_json(tmp_path / "config.json", tie_word_embeddings=False)
    altered(tmp_path, lambda state: state.update({"cls.predictions.decoder.bias": torch.ones(32)}))
    source = load_source(tmp_path)
    assert torch.equal(source.network.body.get_parameter("cls.predictions.decoder.weight"), torch.ones(32, 16))


@pytest.mark.parametrize(
    ("kind", "architecture", "words"),
    [
        ("gpt2", "GPT2LMHeadModel", r"gpt2 \(GPT2LMHeadModel\) is a decoder, which generates text; supported are enc"),
        ("llama", "LlamaForCausalLM", r"llama \(LlamaForCausalLM\) is a decoder"),
        ("t5", "T5ForConditionalGeneration", r"t5 \(.*\) is an encoder with a decoder"),
        ("bert", "BertLMHeadModel", r"bert \(BertLMHeadModel\) is a decoder"),
        ("flaubert", "FlaubertWithLMHeadModel", "is not a type of language model that is supported"),
        ("vit", "ViTForImageClassification", r"names no timm architecture \(ViTForImageClassification\)"),
    ],
)
def test_models_that_are_no_encoders_of_text_are_refused_by_name(
    bert: Path, kind: str, architecture: str, words: str
) -> None:
    changed_json(bert / "config.json", model_type=kind, architectures=[architecture])
    with pytest.raises(UserError, match=words) as caught:
        load_source(bert)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_decoder": True}, "is_decoder is set"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is 'relative_key'"),
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "the weights are quantised"),
        ({"hidden_size": "wide"}, "is not a configuration that transformers reads"),
        ({"vocab_size": 20}, r"20 word embeddings|expected \(20, 16\)"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(bert: Path, changes: dict[str, Any], words: str) -> None:
    changed_json(bert / "config.json", **changes)
    with pytest.raises(UserError, match=words):
        load_source(bert)


def test_a_tokenizer_of_other_weights_is_refused(bert: Path, tmp_path: Path) -> None:
    small = language_folder(tmp_path / "small", "bert", "sequence", vocab_size=20)
    with pytest.raises(UserError, match="gives ids up to 20, but the network has 20 word embeddings"):
        load_source(small)
    other = language_folder(tmp_path / "roberta", "roberta", "sequence")
    core_tokenizer().save(str(other / "tokenizer.json"))
    (other / "tokenizer_config.json").unlink()
    with pytest.raises(UserError, match="pads with id 0, but the network counts positions from id 1 on"):
        load_source(other)
    (bert / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"has no tokenizer\.json, which a text network needs"):
        load_source(bert)
    (bert / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(UserError, match=r"has vocab\.txt but no tokenizer\.json; make one with transformers"):
        load_source(bert)
    core_tokenizer().save(str(tmp_path / "mine.json"))
    assert tokens_of(load_source(bert, tokenizer=str(tmp_path / "mine.json")).network).mask == 4


def test_a_length_may_be_stated_and_nothing_that_images_have(bert: Path) -> None:
    assert tokens_of(load_source(bert, preprocessing={"length": 12}).network).length == 12
    with pytest.raises(UserError, match=r"preprocessing\.length: hf/bert takes up to 40 tokens, not 41"):
        load_source(bert, preprocessing={"length": 41})
    with pytest.raises(UserError, match=r"preprocessing\.size: the network takes texts, which have none; leave it out"):
        load_source(bert, preprocessing={"size": 32})
    with pytest.raises(UserError, match=r"preprocessing\.length: the network takes images, which have none"):
        load_source("cifar/resnet8", weights="random", preprocessing={"length": 12})
    with pytest.raises(UserError, match="in_channels: says nothing of a language model"):
        load_source(bert, in_channels=3)
    with pytest.raises(UserError, match="num_classes: hf/bert has 3 classes, not 5"):
        load_source(bert, num_classes=5)
    with pytest.raises(UserError, match="tokenizer: cifar/resnet8 is not a language model"):
        load_source("cifar/resnet8", weights="random", tokenizer="x.json")
    with pytest.raises(UserError, match="head: 'bert' is not the head of hf/bert; that is classifier"):
        load_source(bert, head="bert")


def test_images_and_texts_are_not_mixed_up(bert: Path) -> None:
    texts, images = load_source(bert).network, load_source("cifar/resnet8", weights="random").network
    with pytest.raises(UserError, match="x: takes images, and only a language model labels texts"):
        LanguageHead().adapted(images, 2, images.interface, 0, "x")
    with pytest.raises(UserError, match="x cannot label pixels: it takes texts, not images"):
        SegmentationHead().adapted(texts, 2, texts.interface, 0, "x")
    with pytest.raises(UserError, match="x cannot find objects: it takes texts, not images"):
        DetectionHead().adapted(texts, 2, texts.interface, 0, "x")
    assert isinstance(images.interface, Pixels)
    with pytest.raises(UserError, match="x: takes texts, not images"):
        body_of(texts).require_input(images.interface, "x")


def test_a_hostile_folder_runs_nothing(bert: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    code = f"from pathlib import Path\nPath({str(trace)!r}).touch()\n"
    for name in ("modeling_evil.py", "configuration_evil.py", "tokenization_evil.py"):
        (bert / name).write_text(code + "class Evil: pass\n")
    auto = {"AutoConfig": "configuration_evil.Evil", "AutoModelForSequenceClassification": "modeling_evil.Evil"}
    changed_json(bert / "config.json", auto_map=auto, attn_implementation="evil/kernel", _attn_implementation="evil/x")
    changed_json(bert / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_evil.Evil", None]})
    source = load_source(bert)
    assert source.identity.configuration is not None
    assert "auto_map" not in json.dumps(source.identity.configuration)
    assert body_of(source.network).held.config._attn_implementation in ("sdpa", "eager")
    (bert / "model.safetensors").unlink()

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    torch.save({"bert": Evil()}, bert / "pytorch_model.bin")
    with pytest.raises(UserError, match="is a pickle that imports"):
        load_source(bert)
    assert not trace.exists()


@torch.no_grad()
def test_a_model_from_python_is_used_as_it_is(bert: Path) -> None:
    model = language_model("bert", "sequence", num_labels=3)
    source = load_source((model, tokenizer_of()), preprocessing={"length": 24})
    assert source.identity.name == "hf/bert"
    assert tokens_of(source.network).length == 24
    inputs = inputs_of(source)
    assert torch.equal(source.network.eval()(inputs), model(**inputs).logits)
    assert dict(model.named_parameters()).keys() == dict(source.network.body.named_parameters()).keys()
    assert source.network.body.get_parameter(QUERY) is model.get_parameter(QUERY)
    for given in (bert, bert / "tokenizer.json", tokenizer_of()):
        stated = load_source(model, preprocessing={"tokenizer": given})
        assert stated.identity.digest == source.identity.digest
        assert tokens_of(stated.network).mask == 4
    with pytest.raises(UserError, match="BertForSequenceClassification: its tokenizer is unknown; give preprocessing="):
        load_source(model)
    with pytest.raises(UserError, match=r"tokenizer: a dict has no tokenizer\.json"):
        load_source(model, preprocessing={"tokenizer": {}})


def test_a_model_from_python_that_lacks_a_part_is_copied_not_changed() -> None:
    for head, headless in (("none", True), ("masked", False)):
        model = language_model("bert", head)
        before = copy.deepcopy(model.state_dict())
        source = load_source((model, tokenizer_of()))
        assert source.network.headless is headless
        assert any(note.startswith("weights: copied from the Bert") for note in source.identity.notes)
        source.network.body.get_parameter(QUERY).data.zero_()
        after = model.state_dict()
        assert same(dict(before), dict(after))


def test_models_from_python_that_are_not_supported_are_refused_by_name() -> None:
    configuration = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=32, n_positions=16)
    with pytest.raises(UserError, match=r"GPT2LMHeadModel: gpt2 \(GPT2LMHeadModel\) is a decoder"):
        load_source((transformers.GPT2LMHeadModel(configuration), tokenizer_of()))

    class Mine(transformers.BertForSequenceClassification):
        pass

    with pytest.raises(UserError, match="Mine: is your own subclass of a model of transformers"):
        load_source((Mine(transformers.BertConfig(**SIZES["bert"])), tokenizer_of()))


def test_a_tiny_bert_learns_its_vocabulary_from_a_text(tmp_path: Path) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text("\n".join(f"the {colour} dog runs in the house ." for colour in ("red", "blue", "old") * 20))
    settings = SourceSettings(name="tiny/bert", weights="random", tokenizer=str(text), vocabulary_size=400)
    source = load_source(settings)
    tokens = tokens_of(source.network)
    assert source.identity.name == "tiny/bert"
    assert (tokens.length, tokens.pad, tokens.mask) == (128, 0, 4)
    assert tokens.vocabulary == tokens.tokenizer.size <= 400
    assert any(
        note.startswith("vocabulary: ") and "learned from the 60 lines" in note for note in source.identity.notes
    )
    assert load_source(settings).identity.digest == source.identity.digest
    assert load_source(source.settings).identity == source.identity
    assert load_source(settings.model_copy(update={"seed": 1})).identity.digest != source.identity.digest
    assert body_of(source.network).held.config.hidden_size == 128
    save_source(source.network, source.identity, tmp_path / "saved")
    text.unlink()
    assert load_source(tmp_path / "saved").identity.digest == source.identity.digest
    with pytest.raises(UserError, match="tokenizer: no such file"):
        load_source(settings)
    with pytest.raises(UserError, match=r"unknown network 'tiny/gpt'; there is tiny/bert"):
        load_source("tiny/gpt", weights="random")


def test_a_tiny_bert_has_the_vocabulary_of_the_built_in_texts() -> None:
    source = load_source("tiny/bert", weights="random")
    tokenizer = tokens_of(source.network).tokenizer
    assert "learned from 4000 built-in tales" in source.identity.notes[0]
    (encoding,) = tokenizer.encode(["the sailor lowers two anchors ."], 32)
    assert len(encoding.ids) == 8  # every word of the tales is one token
    assert load_source("tiny/bert", weights="random", tokenizer="tales").identity.digest == source.identity.digest
    with pytest.raises(UserError, match="hf/bert: has no vocabulary yet; give `tokenizer`"):
        load_source("hf/bert", weights="random")


def test_a_type_with_random_weights_or_with_those_of_a_folder(bert: Path) -> None:
    with pytest.raises(UserError, match="hf/bert: is a type of language model, without weights"):
        load_source("hf/bert")
    assert load_source("hf/bert", weights=str(bert)).identity.digest == load_source(bert).identity.digest
    random = load_source(bert, weights="random", num_classes=4)
    assert random.identity.weights == "random (seed 0)"
    assert random.network.num_classes == 4
    assert not torch.equal(
        random.network.body.get_parameter(QUERY), load_source(bert).network.body.get_parameter(QUERY)
    )


def cached_model(cache: Path, commit: str, head: str = "sequence") -> Path:
    """Write a model into a cache as the Hub's client lays one out."""
    home = cache / "models--owner--tiny"
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    return language_folder(home / "snapshots" / commit, "bert", head)


def test_a_model_of_the_hub_comes_from_the_cache_with_commit_and_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path / "home"))
    first, second = "a" * 40, "b" * 40
    folder = cached_model(tmp_path / "cache", first)
    settings = SourceSettings(name="hf/owner/tiny", cache=str(tmp_path / "cache"), offline=True)
    source = load_source(settings)
    assert source.identity.digest == load_source(folder).identity.digest
    assert source.identity.name == "hf/bert"
    assert source.identity.weights == f"owner/tiny@{first}/model.safetensors"
    (said,) = [note for note in source.identity.notes if note.startswith("file: sha256:")]
    assert said.endswith(f"of owner/tiny at {first}")
    assert load_source(source.settings).identity == source.identity
    # What was loaded first is kept to; the new commit has to be asked for.
    cached_model(tmp_path / "cache", second, "token")
    assert load_source(settings).identity == source.identity
    newer = load_source(settings.model_copy(update={"name": f"hf/owner/tiny@{second}"}))
    assert newer.identity.adaptation == LanguageHead(head="token")
    # Weights that changed under the same commit are refused.
    altered(folder, lambda state: state[QUERY].add_(1))
    with pytest.raises(UserError, match="was recorded at its first download"):
        load_source(settings)
    with pytest.raises(UserError, match=r"config\.json is neither in .* nor reachable \(source\.offline is set\)"):
        load_source(settings.model_copy(update={"name": "hf/owner/other"}))
    with pytest.raises(UserError, match=r"hf/\.\./\.\./x: is no name of a model on the Hub"):
        hub_snapshots.snapshot("../../x", hub_snapshots.Downloads(tmp_path, True), weights=True)


def test_transformers_is_loaded_for_language_models_alone() -> None:
    code = (
        "import sys, robust_tickets as rt\n"
        "rt.load_source('cifar/resnet8', weights='random')\n"
        "print([name for name in ('transformers', 'tokenizers') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_without_transformers_one_line_says_what_to_install(bert: Path) -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "import robust_tickets as rt\n"
        f"try:\n    rt.load_source({str(bert)!r})\n"
        "except rt.UserError as error:\n    print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "language models need the library transformers; pip install 'robust-tickets[text]'\n"


def test_a_model_of_sentence_transformers_says_so(bert: Path) -> None:
    (bert / "modules.json").write_text("[]")
    (bert / "sentence_bert_config.json").write_text('{"max_seq_length": 30}')
    source = load_source(bert)
    assert any(
        note.startswith("tuned for the similarity of sentences of up to 30 tokens") for note in source.identity.notes
    )
    assert tokens_of(source.network).length == 40
    assert rt.load_source(bert).identity.description[:2] == (
        "input: texts of up to 40 tokens, 32 in the vocabulary",
        "output: 3 classes, head classifier",
    )
